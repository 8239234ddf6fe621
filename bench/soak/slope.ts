/** One observation: minutes since the run began, and what was seen. */
export interface Point {
  readonly minute: number;
  readonly value: number;
}

/** Slope of the least-squares line through the points, by the minute; NaN with fewer than two moments. */
export function slopeOf(points: readonly Point[]): number {
  const count = points.length;
  const meanMinute = points.reduce((sum, { minute }) => sum + minute, 0) / count;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / count;
  let across = 0;
  let spread = 0;
  for (const { minute, value } of points) {
    across += (minute - meanMinute) * (value - meanValue);
    spread += (minute - meanMinute) ** 2;
  }
  return spread === 0 ? NaN : across / spread;
}
