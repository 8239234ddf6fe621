'use strict';
/** `npm run test:faults`: random faults for as long as one likes. Its log says each fault as it comes, and what was checked at the end. */
const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');

const USAGE =
  'usage: npm run test:faults -- [--hours H] [--seed N]   (0.1 hours and seed 1 unless told otherwise)';

function options() {
  try {
    const { values } = parseArgs({
      options: {
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
    if (!Number.isSafeInteger(Number(values.seed)))
      throw new Error(`--seed has to be a whole number, not ${values.seed}`);
    return values;
  } catch (cause) {
    console.error(`${cause.message}\n${USAGE}`);
    process.exit(2);
  }
}

const { hours, seed } = options();
const words = [
  '--selectProjects',
  'system',
  '--runInBand',
  '--forceExit',
  '--testPathPatterns',
  'random-faults',
];
const { status } = spawnSync(process.execPath, [require.resolve('jest/bin/jest'), ...words], {
  stdio: 'inherit',
  env: { ...process.env, FEDLOOP_FAULT_HOURS: hours, FEDLOOP_FAULT_SEED: seed },
});
process.exit(status ?? 1);
