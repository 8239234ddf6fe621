#!/usr/bin/env node
'use strict';
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const main = join(__dirname, '..', 'dist', 'cli', 'main.js');
if (!existsSync(main)) {
  process.stderr.write('error: fedloop is not built\n       Run `npm run build` in its folder.\n');
  process.exit(2);
}
require(main).run();
