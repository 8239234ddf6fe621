/** The time range of a dashboard and the distance of its points, in seconds since 1970. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/**
 * A panel's query with its variables filled in: every job and instance, and the rate interval that Grafana would choose, of at
 * least four scrapes.
 */
export function resolveQuery(expr: string, { step }: Pick<TimeRange, 'step'>, scrapeSeconds: number): string {
  return expr
    .replaceAll('$__rate_interval', `${Math.ceil(Math.max(step + scrapeSeconds, 4 * scrapeSeconds))}s`)
    .replaceAll('"$job"', '".*"')
    .replaceAll('"$instance"', '".*"');
}

/** The legend with `{{label}}` filled in; without a legend the labels, as in Grafana. */
export function legendOf(format: string, labels: Readonly<Record<string, string>>): string {
  if (format !== '')
    return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim();
  return JSON.stringify(labels);
}
