/** One process with `/metrics`. */
export interface Target {
  readonly job: string;
  /** The name that people read in legends and alerts. */
  readonly instance: string;
  readonly url: string;
}

/** Fast enough for a demo that lasts two minutes. */
const SCRAPE_SECONDS = 2;

/** `prometheus.yml`: targets stand in a file of their own, which Prometheus reads again when it changes. */
export function prometheusConfig(files: { readonly targets: string; readonly rules: string }): string {
  return [
    'global:',
    `  scrape_interval: ${SCRAPE_SECONDS}s`,
    `  evaluation_interval: ${SCRAPE_SECONDS}s`,
    // A JSON string is a YAML string too, for any path.
    `rule_files: [${JSON.stringify(files.rules)}]`,
    'scrape_configs:',
    '  - job_name: fedloop',
    '    file_sd_configs:',
    `      - files: [${JSON.stringify(files.targets)}]`,
    '',
  ].join('\n');
}

/** The targets in the form of `file_sd_configs`, each with its job. */
export function scrapeTargets(targets: readonly Target[]): string {
  const groups = targets.map(({ job, instance, url }) => {
    const { host, pathname } = new URL(url);
    return {
      targets: [host],
      labels: { job, instance, __metrics_path__: pathname === '/' ? '/metrics' : pathname },
    };
  });
  return `${JSON.stringify(groups, null, 2)}\n`;
}
