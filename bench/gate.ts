import { SingleBar } from 'cli-progress';
import { RoundGraphs } from '../core/backtest/graphs';
import { messageOf } from '../core/contracts/errors';
import { gateSettingsSchema, trainingSettingsSchema } from '../core/contracts/rounds';
import { seededRandom } from '../core/platform/random';
import { loadRecording } from '../fleet/series';
import { CLOCKS, type Clock } from '../fleet/settings';
import { FIRST_LOOK, LAST_LOOK, playDecisions } from './gate/decisions';
import { watchForDrift } from './gate/drift';
import { summaryOf, tableOf, type Line } from './gate/lines';
import { readOptions, type Options } from './gate/options';
import { recordFleet, WATCHED_WINDOWS, type RecordedFleet } from './gate/record';
import { SHAPE } from './loop/task';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:gate`: how often the gate promotes candidates that are worse, and how soon better ones; how often intervals cover; how often drift is
 * said where there is none. The errors are those of real versions on real readings, moved to a known worth; the gate is the product's.
 */
const TRAINING = trainingSettingsSchema.parse({});

async function main(): Promise<void> {
  const options = readOptions();
  const machine = describeMachine();
  const began = new Date();
  const lines = await playAll(options);
  const summary = summaryOf(lines);
  const report = {
    benchmark: 'gate',
    machine,
    minutes: (Date.now() - began.getTime()) / 60_000,
    settings: {
      ...options,
      gate: gateSettingsSchema.parse({}),
      looks: [FIRST_LOOK, LAST_LOOK],
      watchedWindows: WATCHED_WINDOWS,
    },
    summary,
    lines,
  };
  const path = await writeResults('gate', report, began);
  process.stdout.write(
    options.json
      ? `${JSON.stringify(report, null, 2)}\n`
      : `${tableOf(lines)}\n${JSON.stringify(summary)}\nWritten to ${path}\n`,
  );
}

async function playAll({ data, devices: sizes, seeds, rounds }: Options): Promise<readonly Line[]> {
  const { recording } = await loadRecording({ directory: data, labelColumn: undefined });
  const graphs = await RoundGraphs.create(SHAPE, TRAINING, 0);
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value} of {total} fleets and sizes, {eta_formatted} to go',
    noTTYOutput: false,
  });
  bar.start(CLOCKS.length * (seeds.length + sizes.length), 0);
  const lines: Line[] = [];
  try {
    for (const clock of CLOCKS) {
      const fleets: RecordedFleet[] = [];
      for (const seed of seeds) {
        fleets.push(
          await recordFleet(recording, graphs, TRAINING, { clock, seed, devices: Math.max(...sizes) }),
        );
        bar.increment();
      }
      for (const devices of sizes) {
        lines.push(lineOf(fleets, clock, devices, rounds));
        bar.increment();
      }
    }
    return lines;
  } finally {
    bar.stop();
    await graphs.release();
  }
}

function lineOf(fleets: readonly RecordedFleet[], clock: Clock, devices: number, rounds: number): Line {
  const random = seededRandom(1, 'gate', clock, devices);
  return {
    clock,
    devices,
    ...playDecisions(fleets, devices, rounds, random),
    drift: watchForDrift(fleets, devices),
  };
}

main().catch((cause: unknown) => {
  process.stderr.write(`bench:gate: ${messageOf(cause)}\n`);
  process.exitCode = 1;
});
