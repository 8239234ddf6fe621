/** One process with `/metrics`. */
export interface Target {
  readonly job: string;
  readonly url: string;
}

/** Fast enough for a demo that lasts two minutes. */
const SCRAPE_SECONDS = 2;

/** `prometheus.yml`: targets stand in a file of their own, which Prometheus reads again when it changes. */
export function prometheusConfig(targetsFile: string): string {
  return [
    'global:',
    `  scrape_interval: ${SCRAPE_SECONDS}s`,
    `  evaluation_interval: ${SCRAPE_SECONDS}s`,
    'scrape_configs:',
    '  - job_name: fedloop',
    '    file_sd_configs:',
    // JSON strings are YAML strings too, whatever the path holds.
    `      - files: [${JSON.stringify(targetsFile)}]`,
    '',
  ].join('\n');
}

/** The targets in the form of `file_sd_configs`, each with its job. */
export function scrapeTargets(targets: readonly Target[]): string {
  const groups = targets.map(({ job, url }) => {
    const { host, pathname } = new URL(url);
    return { targets: [host], labels: { job, __metrics_path__: pathname === '/' ? '/metrics' : pathname } };
  });
  return `${JSON.stringify(groups, null, 2)}\n`;
}
