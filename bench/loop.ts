import { writeFile } from 'node:fs/promises';
import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';
import { trainingSettingsSchema } from '../core/contracts/rounds';
import { messageOf } from '../core/contracts/errors';
import { CENTRAL_ABOUT } from './loop/central';
import { chartOf } from './loop/chart';
import { judgeGoals, type Verdict } from './loop/goals';
import { playGames, type Game, type GameSettings } from './loop/jobs';
import { linesOf, type Line } from './loop/lines';
import { readOptions, type Options } from './loop/options';
import { SHADOW_WINDOWS, WATERMARK_WINDOWS } from './loop/play-options';
import { lossesIn, type Loss } from './loop/losses';
import { newcomers, NEWCOMERS_SHARE } from './loop/newcomers';
import { poisoners, POISONED_SHARE } from './loop/poisoned';
import { differenceOf, tableOf } from './loop/report';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:loop`: whether feedback makes the next version better. Every contender plays the same fleets, seeds and rounds, on
 * the code that the workers use, without servers; differences are paired by seed.
 */
const TRAINING = trainingSettingsSchema.parse({});

async function main(): Promise<void> {
  const options = readOptions();
  const machine = describeMachine();
  const began = performance.now();
  const { strategy: contenders, rounds, windows, lastRounds } = options;
  const settings: GameSettings = { ...options, contenders, training: TRAINING };
  const games = await playWithProgress(gamesOf(options), settings, options.processes);
  const span = { rounds, windows, lastRounds };
  const lines = linesOf(games, span);
  const { devices } = options;
  const honest = (seed: number) => (place: number) => !poisoners(seed, devices).has(place);
  const joined = (seed: number) => (place: number) => newcomers(seed, devices).has(place);
  const losses = {
    poisoned: lossesIn('poisoned', games, honest, span),
    joining: lossesIn('joining', games, joined, span),
  };
  const goals = judgeGoals(lines);
  const report = {
    benchmark: 'loop',
    machine,
    minutes: (performance.now() - began) / 60_000,
    settings: {
      ...options,
      strategy: undefined,
      training: TRAINING,
      watermarkWindows: WATERMARK_WINDOWS,
      shadowWindows: SHADOW_WINDOWS,
    },
    contenders: [...contenders, ...(options.bounds ? [{ name: 'central', about: CENTRAL_ABOUT }] : [])],
    goals,
    lines,
    ...losses,
  };
  const path = await writeResults('loop', report, new Date());
  const picture = path.replace(/json$/, 'svg');
  await writeFile(picture, pictureOf(lines, options));
  process.stdout.write(
    options.json
      ? `${JSON.stringify(report, null, 2)}\n`
      : `${textOf(lines, goals, losses, options)}\nWritten to ${path} and ${picture}\n`,
  );
}

function gamesOf({ clock: clocks, scenario: scenarios, seeds }: Options): Game[] {
  return clocks.flatMap((clock) =>
    scenarios.flatMap((scenario) => seeds.map((seed) => ({ clock, scenario, seed }))),
  );
}

async function playWithProgress(
  games: readonly Game[],
  settings: GameSettings,
  processes: number,
): ReturnType<typeof playGames> {
  const bar = new SingleBar({
    stream: process.stderr,
    format: '{bar} {value} of {total} fleets, {eta_formatted} to go',
    noTTYOutput: false,
  });
  bar.start(games.length, 0);
  try {
    return await playGames(games, settings, processes, (done) => {
      bar.update(done);
    });
  } finally {
    bar.stop();
  }
}

const BOUNDS = ['persistence', 'central'];

/** Who stands beside the open loop in the first table, and whose parts stand beside the closed loop in the second. */
function sidesOf(lines: readonly Line[]): { readonly rivals: string[]; readonly parts: string[] } {
  const names = [...new Set(lines.map(({ contender }) => contender))];
  const isPart = (name: string): boolean => /^([−+]|closed-loop) /.test(name);
  return {
    rivals: names.filter((name) => name !== 'open-loop' && !isPart(name)),
    parts: names.filter(isPart),
  };
}

function pictureOf(lines: readonly Line[], { participants, seeds }: Options): string {
  const { rivals } = sidesOf(lines);
  return chartOf(
    lines,
    'open-loop',
    // Persistence lies so far off that the others would look alike beside it.
    rivals.filter((name) => !BOUNDS.includes(name)),
    `${participants} participants, ${seeds.length} paired seeds`,
  );
}

function textOf(
  lines: readonly Line[],
  goals: readonly Verdict[],
  { poisoned, joining }: Readonly<Record<'poisoned' | 'joining', readonly Loss[]>>,
  { participants, seeds, lastRounds }: Options,
): string {
  const { rivals, parts } = sidesOf(lines);
  const hasClosed = lines.some(({ contender }) => contender === 'closed-loop');
  const title = `${participants} participants, ${seeds.length} seeds, the last ${lastRounds} rounds`;
  const texts = [
    `Accuracy of open-loop in %, then paired differences to it in points (${title})`,
    tableOf(lines, 'open-loop', rivals),
  ];
  if (hasClosed && parts.length > 0) {
    texts.push(
      'Accuracy of closed-loop in %, then paired differences to it: parts left out or added in turn',
      tableOf(lines, 'closed-loop', parts),
    );
  }
  const poisonedTitle = `points lost to ${100 * POISONED_SHARE} % of poisoned devices`;
  if (poisoned.length > 0) texts.push(lossTable(poisonedTitle, poisoned));
  const joiningTitle = `points that newcomers (${100 * NEWCOMERS_SHARE} % of the devices) lack without a past`;
  if (joining.length > 0) texts.push(lossTable(joiningTitle, joining));
  if (goals.length > 0) texts.push(goalsTable(goals));
  return texts.join('\n');
}

function lossTable(title: string, losses: readonly Loss[]): string {
  const head = ['clock', 'contender', title];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { clock, contender, lost } of losses) table.push([clock, contender, differenceOf(lost)]);
  return table.toString();
}

function goalsTable(goals: readonly Verdict[]): string {
  const table = new Table({ head: ['goal', 'measured', ''], style: { head: [], border: [] } });
  for (const { goal, measured, met } of goals) table.push([goal, measured, met ? 'met' : 'missed']);
  return table.toString();
}

main().catch((cause: unknown) => {
  process.stderr.write(`bench:loop: ${messageOf(cause)}\n`);
  process.exitCode = 1;
});
