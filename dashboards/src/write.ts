import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { grafanaAlerts } from './alerts';
import { buildDashboard } from './build';
import { DASHBOARDS } from './index';

/**
 * Files for Grafana, by path inside `dashboards/`, as committed.
 * @param rules the text of `rules.yml`.
 */
export function provisionedFiles(rules: string): ReadonlyMap<string, string> {
  return new Map([
    ...DASHBOARDS.map((spec): [string, string] => [
      `${spec.file}.json`,
      `${JSON.stringify(buildDashboard(spec), null, 2)}\n`,
    ]),
    ['provisioning/alerting/rules.yml', grafanaAlerts(rules)],
  ]);
}

/** `npm run dashboards`: write them again, and remove files without a dashboard. */
function write(folder: string): void {
  const files = provisionedFiles(readFileSync(join(folder, 'rules.yml'), 'utf8'));
  for (const name of readdirSync(folder))
    if (name.endsWith('.json') && !files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}

if (require.main === module) write('dashboards');
