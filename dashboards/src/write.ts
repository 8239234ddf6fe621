import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { grafanaAlerts } from './alerts';
import { buildDashboard } from './build';
import { DASHBOARDS } from './index';

/**
 * What Grafana reads, by path inside `dashboards/`, as it is committed.
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

/** `npm run dashboards`: write them anew; a file whose dashboard is gone goes too. */
function write(folder: string): void {
  const files = provisionedFiles(readFileSync(join(folder, 'rules.yml'), 'utf8'));
  for (const name of readdirSync(folder))
    if (name.endsWith('.json') && !files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}

if (require.main === module) write('dashboards');
