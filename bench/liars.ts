import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { RoundGraphs } from '../core/backtest/graphs';
import { messageOf } from '../core/contracts/errors';
import { trainingSettingsSchema } from '../core/contracts/rounds';
import { type StrategyName } from '../core/contracts/strategies';
import { loadRecording } from '../fleet/series';
import { contenderOf } from './liars/contender';
import { LiarsGame, SITES } from './liars/game';
import { LIES, type LieName } from './liars/lies';
import { judgeGoals, tableOf, type Line } from './liars/lines';
import { readOptions, type Options } from './liars/options';
import { estimate } from './loop/statistics';
import { SHAPE } from './loop/task';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:liars`: what each strategy loses to devices and sites that lie, against the same fleet and seed without them, on the code that
 * the workers run, without servers.
 */
const TRAINING = trainingSettingsSchema.parse({});

async function main(): Promise<void> {
  const options = readOptions();
  const machine = describeMachine();
  const began = new Date();
  const settings = { ...options, training: TRAINING, sites: SITES };
  const lies = Object.fromEntries(options.lies.map((name) => [name, LIES[name].about]));
  await playAll(options, async (lines, isLast) => {
    const minutes = (Date.now() - began.getTime()) / 60_000;
    const report = { benchmark: 'liars', machine, minutes, settings, lies, goals: judgeGoals(lines), lines };
    const path = await writeResults('liars', report, began);
    if (!isLast) return;
    process.stdout.write(
      options.json
        ? `${JSON.stringify(report, null, 2)}\n`
        : `${textOf(lines, options)}\nWritten to ${path}\n`,
    );
  });
}

/** One part of the table: a strategy under a share of liars of one kind. */
interface Cell {
  readonly lie: LieName;
  readonly share: number;
  readonly strategy: StrategyName;
}

/**
 * Seed by seed, so that a fleet without liars is played once a strategy.
 * @param onSeed called with the lines so far after each seed: a run that is stopped leaves those that it has
 */
async function playAll(
  options: Options,
  onSeed: (lines: readonly Line[], isLast: boolean) => Promise<void>,
): Promise<void> {
  const { recording } = await loadRecording({ directory: options.data, labelColumn: undefined });
  const graphs = await RoundGraphs.create(SHAPE, TRAINING, 1);
  const cells = cellsOf(options);
  const lost = cells.map((): number[] => []);
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value} of {total} plays, {eta_formatted} to go',
    noTTYOutput: false,
  });
  bar.start(cells.length * options.seeds.length, 0);
  try {
    for (const seed of options.seeds) {
      const game = new LiarsGame(recording, graphs, { ...options, training: TRAINING }, seed);
      for (const [at, { lie, share, strategy }] of cells.entries()) {
        lost[at]?.push(await game.pointsLost(contenderOf(strategy), lie, share));
        bar.increment();
      }
      const isLast = seed === options.seeds.at(-1);
      if (isLast) bar.stop();
      await onSeed(
        cells.map((cell, at) => ({ ...cell, lost: estimate(lost[at] ?? []), bySeed: lost[at] ?? [] })),
        isLast,
      );
    }
  } finally {
    bar.stop();
    await graphs.release();
  }
}

/** Sums and counts of sites matter to strategies alone that ask for them. */
function cellsOf({ lies, shares, strategy: strategies }: Options): Cell[] {
  const asks = (strategy: StrategyName): boolean => strategy === 'closed-loop';
  return lies.flatMap((lie) =>
    shares.flatMap((share) =>
      strategies
        .filter((strategy) => LIES[lie].of !== 'reports' || asks(strategy))
        .map((strategy) => ({ lie, share, strategy })),
    ),
  );
}

function textOf(lines: readonly Line[], { participants, seeds, lastRounds, lies }: Options): string {
  const goals = judgeGoals(lines);
  const table = new Table({ head: ['goal', 'lost', ''], style: { head: [], border: [] } });
  for (const { goal, measured, met } of goals) table.push([goal, measured, met ? 'met' : 'missed']);
  return [
    `Points of accuracy lost on honest devices, ${participants} participants, ${seeds.length} seeds, the last ${lastRounds} rounds`,
    tableOf(lines),
    ...lies.map((name) => `${name}: ${LIES[name].about}`),
    ...(goals.length > 0 ? [table.toString()] : []),
  ].join('\n');
}

main().catch((cause: unknown) => {
  process.stderr.write(`bench:liars: ${messageOf(cause)}\n`);
  process.exitCode = 1;
});
