/** The time that a dashboard shows, in seconds since 1970, and the distance of its points. */
export interface TimeRange {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

/**
 * A panel's query as Prometheus takes it: every job and instance, and the rate interval that Grafana would choose, which
 * spans at least four scrapes.
 */
export function resolveQuery(expr: string, { step }: Pick<TimeRange, 'step'>, scrapeSeconds: number): string {
  return expr
    .replaceAll('$__rate_interval', `${Math.ceil(Math.max(step + scrapeSeconds, 4 * scrapeSeconds))}s`)
    .replaceAll('"$job"', '".*"')
    .replaceAll('"$instance"', '".*"');
}

/** `{{label}}` filled in; a series without a legend is called by its labels, as Grafana does. */
export function legendOf(format: string, labels: Readonly<Record<string, string>>): string {
  if (format !== '')
    return format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => labels[label] ?? '').trim();
  return JSON.stringify(labels);
}
