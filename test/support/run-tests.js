'use strict';
/**
 * `npm test`: everything jest has, closed by one plain line that any reader or machine can take the result from.
 * Arguments are handed on to jest.
 */
const { spawnSync } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const folder = mkdtempSync(join(tmpdir(), 'fedloop-test-'));
const report = join(folder, 'report.json');
const jest = require.resolve('jest/bin/jest');
const run = spawnSync(
  process.execPath,
  [
    jest,
    '--runInBand',
    '--json',
    `--outputFile=${report}`,
    '--testLocationInResults',
    ...process.argv.slice(2),
  ],
  // jest's own JSON copy on stdout would bury the readable report on stderr.
  { stdio: ['ignore', 'ignore', 'inherit'] },
);
let passed = 0;
let failed = 1;
try {
  const result = JSON.parse(readFileSync(report, 'utf8'));
  passed = result.numPassedTests;
  failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
} catch {
  console.error('jest wrote no report: it did not get as far as running tests');
}
rmSync(folder, { recursive: true, force: true });
const broken = run.status !== 0 && failed === 0 ? 1 : 0;
console.log(`${passed} passed, ${failed + broken} failed`);
process.exit(failed + broken > 0 || passed === 0 ? 1 : 0);
