import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFile } from '../shared/package-root';
import { renderSchemas } from './schemas';

// `npm run docs:schemas`: write docs/schemas/ anew.
const folder = packageFile('docs', 'schemas');
mkdirSync(folder, { recursive: true });
for (const [name, text] of renderSchemas()) writeFileSync(join(folder, name), text);
