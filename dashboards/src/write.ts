import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDashboard } from './build';
import { DASHBOARDS } from './index';

/** The JSON files by name, as they are committed. */
export function dashboardFiles(): ReadonlyMap<string, string> {
  return new Map(
    DASHBOARDS.map((spec) => [`${spec.file}.json`, `${JSON.stringify(buildDashboard(spec), null, 2)}\n`]),
  );
}

/** `npm run dashboards`: write them anew; a file whose dashboard is gone goes too. */
function write(folder: string): void {
  const files = dashboardFiles();
  for (const name of readdirSync(folder))
    if (name.endsWith('.json') && !files.has(name)) rmSync(join(folder, name));
  for (const [name, text] of files) writeFileSync(join(folder, name), text);
}

if (require.main === module) write(process.argv[2] ?? 'dashboards');
