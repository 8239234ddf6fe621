'use strict';
/**
 * `npm run test:faults`: random faults for as long as one likes, or with another `--kind` full disks and damaged checkpoints, bad
 * networks, clocks that are set, restarts of every worker in turn, or kills of each process under `fedloop up`, so many times each. Its log says each fault as it comes, and what was checked at the end.
 */
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const USAGE =
  'usage: npm run test:faults -- [--kind random] [--hours H] [--seed N]   (0.1 hours and seed 1 unless told otherwise)\n' +
  '       npm run test:faults -- --kind disks|network|clocks|restarts|up [--times N] [--seed N]   (each fault 20 times unless told otherwise)';

/** Test file of each kind of faults. */
const FILES = {
  random: 'faults/random-faults',
  disks: 'faults/full-disks',
  network: 'faults/network',
  clocks: 'faults/clocks',
  restarts: 'faults/rolling-restart',
  up: 'faults/up-and-down',
};
/** Tests of single workers share the servers of their run; those of a whole system have their own. */
const PROJECTS = {
  random: 'system',
  disks: 'integration',
  network: 'system',
  clocks: 'integration',
  restarts: 'system',
  up: 'system',
};

function options() {
  try {
    const { values } = parseArgs({
      options: {
        kind: { type: 'string', default: 'random' },
        times: { type: 'string', default: '20' },
        hours: { type: 'string', default: '0.1' },
        seed: { type: 'string', default: '1' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!(Number(values.hours) > 0))
      throw new Error(`--hours has to be a number above 0, not ${values.hours}`);
    if (!Object.hasOwn(FILES, values.kind))
      throw new Error(`--kind has to be ${Object.keys(FILES).join(' or ')}, not ${values.kind}`);
    if (!(Number.isSafeInteger(Number(values.times)) && Number(values.times) > 0))
      throw new Error(`--times has to be a whole number above 0, not ${values.times}`);
    if (!Number.isSafeInteger(Number(values.seed)))
      throw new Error(`--seed has to be a whole number, not ${values.seed}`);
    return values;
  } catch (cause) {
    console.error(`${cause.message}\n${USAGE}`);
    process.exit(2);
  }
}

const { kind, times, hours, seed } = options();
const words = [
  '--selectProjects',
  PROJECTS[kind],
  '--runInBand',
  '--forceExit',
  '--testPathPatterns',
  FILES[kind],
];
const { status } = spawnSync(process.execPath, [require.resolve('jest/bin/jest'), ...words], {
  stdio: 'inherit',
  env: { ...process.env, FEDLOOP_FAULT_HOURS: hours, FEDLOOP_FAULT_TIMES: times, FEDLOOP_FAULT_SEED: seed },
});
process.exit(status ?? 1);
