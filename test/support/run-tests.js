'use strict';
/**
 * `npm test`: every test, closed by one plain line that a person or a machine can take the result from. Words behind `--` are handed
 * on to jest, such as the name of a file; `--no-skips` is ours: the run fails when a test was skipped.
 */
const { spawn } = require('node:child_process');
const { mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { describeSkipped } = require('./outcome-reporter.js');

/**
 * Projects of jest.config.js, the longest first. Two run side by side, because tests on servers mostly wait; within a run one file comes after the
 * other. The unit tests are two halves, so that no run is left alone with them.
 */
const RUNS = [
  ['--selectProjects', 'system'],
  ['--selectProjects', 'integration'],
  ['--selectProjects', 'unit', '--shard', '1/2'],
  ['--selectProjects', 'unit', '--shard', '2/2'],
];
const AT_ONCE = 2;
const NO_SKIPS = '--no-skips';

/** @returns {Promise<{passed: number, failed: number, failures: string[], skipped: object[]}>} what one jest process ran. */
async function runJest(words, outcomeFile, stdio) {
  // A test that failed half-way may leave a connection open: its process must end all the same.
  const how = ['--runInBand', '--forceExit'];
  const child = spawn(process.execPath, [require.resolve('jest/bin/jest'), ...words, ...how], {
    stdio,
    env: { ...process.env, FEDLOOP_TEST_OUTCOME: outcomeFile },
  });
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => process.stderr.write(text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  try {
    const outcome = JSON.parse(readFileSync(outcomeFile, 'utf8'));
    // jest may fail without a failed test, for example in its teardown.
    return code !== 0 && outcome.failed === 0 ? { ...outcome, failed: 1 } : outcome;
  } catch {
    console.error('jest left no outcome: it did not get as far as running tests');
    return { passed: 0, failed: 1, failures: [], skipped: [] };
  }
}

async function main() {
  const words = process.argv.slice(2).filter((word) => word !== NO_SKIPS);
  const mayNotSkip = process.argv.includes(NO_SKIPS);
  const folder = mkdtempSync(join(tmpdir(), 'fedloop-test-'));
  const runs = words.length > 0 ? [words] : RUNS;
  // Only one run can have the terminal to itself.
  const stdio = runs.length > 1 ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'];
  const outcomes = [];
  const queue = runs.map((run, index) => [run, join(folder, `outcome-${index}.json`)]);
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      outcomes.push(await runJest(...next, stdio));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  rmSync(folder, { recursive: true, force: true });

  const sum = (name) => outcomes.reduce((total, outcome) => total + outcome[name], 0);
  const skipped = outcomes.flatMap((outcome) => outcome.skipped);
  for (const failure of outcomes.flatMap(({ failures }) => failures)) console.log(`FAILED ${failure}`);
  console.log(describeSkipped(skipped).trimEnd() || '0 skipped');
  const skippedInVain = mayNotSkip && skipped.length > 0;
  if (skippedInVain) console.log(`${NO_SKIPS}: a run with skipped tests fails`);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
  process.exitCode = sum('failed') > 0 || sum('passed') === 0 || skippedInVain ? 1 : 0;
}

void main();
