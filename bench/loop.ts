import { Command, InvalidArgumentError } from 'commander';
import { STRATEGY_NAMES, type TrainingSettings } from '../core/contracts/rounds';
import { loadRecording } from '../core/fleet/series';
import { SCENARIOS, type Clock, type Scenario } from '../core/fleet/settings';
import { CENTRAL_ABOUT, playCentral, playPersistence } from './loop/central';
import { contendersNamed, CONTENDERS, type Contender } from './loop/contenders';
import { Engine } from './loop/engine';
import { play, SHADOW_WINDOWS, WATERMARK_WINDOWS, type Played, type PlayOptions } from './loop/play';
import { chartOf, tableOf, type Line } from './loop/report';
import { accuracyOf, estimate } from './loop/statistics';
import { World } from './loop/world';
import { describeMachine, writeResults } from './support/results';

/**
 * `npm run bench:loop`: whether feedback makes the next version better. The same fleets, seeds and rounds are played by every contender, on
 * the code that the workers use, without servers; differences are paired by seed.
 */
interface Options {
  readonly data: string;
  readonly devices: number;
  readonly participants: number | 'all';
  readonly rounds: number;
  readonly windows: number;
  readonly scenario: readonly Scenario[];
  readonly clock: readonly Clock[];
  readonly strategy: readonly Contender[];
  readonly seeds: readonly number[];
  readonly lastRounds: number;
  readonly changeRound: number;
  readonly tolerance: number;
  readonly threads: number;
  readonly bounds: boolean;
  readonly json: boolean;
}

/** Every scenario but the one that has a little of everything. */
const DEFAULT_SCENARIOS = SCENARIOS.filter((scenario) => scenario !== 'everyday');
const DEFAULT_SEEDS = [101, 102, 103, 104, 105, 106, 107, 108];
const TRAINING: TrainingSettings = { windows: 336, epochs: 5, learningRate: 0.05, batchSize: 32 };

const program = new Command('bench:loop')
  .description(
    'Play federated rounds without servers: closed loop against open loop, part by part, paired by seed.',
  )
  .option('--data <folder>', 'recorded series', 'data/weather')
  .option('--devices <n>', 'size of the fleet', positive, 2_407)
  .option('--participants <n|all>', 'devices that train in a round', participants, 20)
  .option('--rounds <n>', 'rounds', positive, 12)
  .option('--windows <n>', 'live windows of a round', positive, 6)
  .option('--scenario <name,…>', `of ${SCENARIOS.join(', ')}`, listOf(scenario), DEFAULT_SCENARIOS)
  .option('--clock <name,…>', 'independent, shared', listOf(clock), ['independent', 'shared'])
  .option(
    '--strategy <name,…>',
    'contenders; "all", or names of contenders or strategies',
    strategies,
    CONTENDERS,
  )
  .option('--seeds <n,…>', 'one fleet and run each', listOf(positive), DEFAULT_SEEDS)
  .option('--last-rounds <n>', 'rounds at the end that count', positive, 4)
  .option('--change-round <n>', 'round (from 1) at whose first live window the scenario changes', positive, 7)
  .option('--tolerance <celsius>', 'a forecast this near is right', Number, 1)
  .option('--threads <n>', 'threads of one run; 0 = one a core', Number, 1)
  .option('--no-bounds', 'leave out persistence and central training')
  .option('--json', 'print the results as JSON', false);

async function main(): Promise<void> {
  const options = program.parse().opts<Options>();
  const { recording } = await loadRecording({ directory: options.data, labelColumn: undefined });
  const engine = await Engine.create(TRAINING, options.threads);
  const lines: Line[] = [];
  for (const clockName of options.clock) {
    for (const name of options.scenario) {
      const played = new Map<string, Played[]>();
      for (const seed of options.seeds) {
        const world = new World(recording, {
          scenario: name,
          clock: clockName,
          seed,
          devices: options.devices,
          trainingWindows: TRAINING.windows,
          liveWindows: options.rounds * options.windows,
          changeWindow: (options.changeRound - 1) * options.windows,
          toleranceCelsius: options.tolerance,
        });
        for (const [contender, run] of await playAll(world, engine, options, seed)) {
          played.set(contender, [...(played.get(contender) ?? []), run]);
        }
        if (process.stderr.isTTY) process.stderr.write(`\r${clockName} ${name} ${seed}   `);
      }
      lines.push(...linesOf(name, clockName, played, options));
    }
  }
  await engine.release();
  if (process.stderr.isTTY) process.stderr.write('\r\u001B[K');
  const report = {
    benchmark: 'loop',
    machine: describeMachine(),
    settings: {
      ...options,
      strategy: undefined,
      training: TRAINING,
      watermarkWindows: WATERMARK_WINDOWS,
      shadowWindows: SHADOW_WINDOWS,
    },
    contenders: [...options.strategy, ...(options.bounds ? [{ name: 'central', about: CENTRAL_ABOUT }] : [])],
    lines,
  };
  const path = await writeResults('loop', report, new Date());
  process.stdout.write(
    options.json
      ? `${JSON.stringify(report, null, 2)}\n`
      : `${tableOf(lines)}\n\n${chartOf(lines)}\n\nWritten to ${path}\n`,
  );
}

async function playAll(
  world: World,
  engine: Engine,
  options: Options,
  seed: number,
): Promise<Map<string, Played>> {
  const how: PlayOptions = {
    seed,
    rounds: options.rounds,
    windowsPerRound: options.windows,
    participants: options.participants,
  };
  const runs = new Map<string, Played>();
  for (const contender of options.strategy)
    runs.set(contender.name, await play(world, contender, engine, how));
  if (options.bounds) {
    runs.set('persistence', playPersistence(world, how));
    runs.set('central', await playCentral(world, engine, how));
  }
  return runs;
}

function linesOf(
  scenarioName: string,
  clockName: string,
  played: ReadonlyMap<string, readonly Played[]>,
  options: Options,
): Line[] {
  const windows = options.rounds * options.windows;
  const from = windows - Math.min(options.lastRounds, options.rounds) * options.windows;
  const lastOf = (runs: readonly Played[], who: 'all' | 'healthy'): number[] =>
    runs.map((run) => accuracyOf(run, from, windows, who));
  const [opponent] = played.values();
  return [...played].map(([contender, runs]) => {
    const differences = (who: 'all' | 'healthy'): number[] => {
      const theirs = lastOf(opponent ?? [], who);
      return lastOf(runs, who).map((value, at) => value - (theirs[at] ?? NaN));
    };
    return {
      scenario: scenarioName,
      clock: clockName,
      contender,
      accuracy: estimate(lastOf(runs, 'all')),
      healthyAccuracy: estimate(lastOf(runs, 'healthy')),
      difference: runs === opponent ? null : estimate(differences('all')),
      healthyDifference: runs === opponent ? null : estimate(differences('healthy')),
      byRound: Array.from(
        { length: options.rounds },
        (_, round) =>
          estimate(runs.map((run) => accuracyOf(run, round * options.windows, (round + 1) * options.windows)))
            .mean,
      ),
      served: runs.map(({ served }) => served),
    };
  });
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('must be a whole number of at least 1');
  return value;
}

function participants(text: string): number | 'all' {
  return text === 'all' ? 'all' : positive(text);
}

function scenario(text: string): Scenario {
  const known = SCENARIOS.find((name) => name === text);
  if (known === undefined) throw new InvalidArgumentError(`must be one of ${SCENARIOS.join(', ')}`);
  return known;
}

function clock(text: string): Clock {
  if (text !== 'independent' && text !== 'shared')
    throw new InvalidArgumentError('must be independent or shared');
  return text;
}

function strategies(text: string): readonly Contender[] {
  const named = text === 'all' ? CONTENDERS : contendersNamed(text.split(',').map((name) => name.trim()));
  if (named === null) {
    throw new InvalidArgumentError(
      `must be of ${CONTENDERS.map(({ name }) => name).join(', ')}, or of ${STRATEGY_NAMES.join(', ')}`,
    );
  }
  return named;
}

function listOf<Item>(parse: (text: string) => Item): (text: string) => Item[] {
  return (text) => text.split(',').map((part) => parse(part.trim()));
}

main().catch((cause: unknown) => {
  process.stderr.write(`bench:loop: ${cause instanceof Error ? cause.message : String(cause)}\n`);
  process.exitCode = 1;
});
