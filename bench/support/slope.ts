/** One observation: when it was made, in whatever unit, and what was seen. */
export interface Point {
  readonly at: number;
  readonly value: number;
}

/** Slope of the least-squares line through the points, by the unit of `at`; NaN with fewer than two moments. */
export function slopeOf(points: readonly Point[]): number {
  const count = points.length;
  const meanAt = points.reduce((sum, { at }) => sum + at, 0) / count;
  const meanValue = points.reduce((sum, { value }) => sum + value, 0) / count;
  let across = 0;
  let spread = 0;
  for (const { at, value } of points) {
    across += (at - meanAt) * (value - meanValue);
    spread += (at - meanAt) ** 2;
  }
  return spread === 0 ? NaN : across / spread;
}
