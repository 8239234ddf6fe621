import { writeFileSync } from 'node:fs';
import { createProgram } from '../main';
import { packageFile } from '../shared/package-root';
import { renderReference } from './reference';

// `npm run docs:cli`: write docs/cli.md.
writeFileSync(packageFile('docs', 'cli.md'), renderReference(createProgram()));
