import Table from 'cli-table3';
import { growthOf, type TrainingRunCost } from './growth';
import { type RoundCost } from './history';

/** What a demo of this size cost Temporal. */
export interface Result {
  readonly devices: number;
  readonly rounds: readonly RoundCost[];
  /** Runs of the training that the rounds belong to, oldest first. */
  readonly training: readonly TrainingRunCost[];
}

/** Rounds that have a column of their own in the table of steps: what fits on a screen. */
const ROUNDS_SHOWN = 8;

export function render(results: readonly Result[]): string {
  const table = new Table({
    head: [
      'devices',
      'round',
      'events',
      'actions',
      'payloads',
      'largest',
      'total s',
      'work s',
      'panels s',
      'share s',
      'between s',
    ],
    style: { head: [], border: [] },
  });
  for (const { devices, rounds } of results) {
    rounds.forEach(({ events, actions, payloads, seconds }, index) => {
      table.push([
        devices,
        index + 1,
        events,
        actions,
        `${(payloads.bytes / 1_024).toFixed(1)} KiB`,
        `${(payloads.largestBytes / 1_024).toFixed(1)} KiB`,
        seconds.total.toFixed(2),
        seconds.work.toFixed(2),
        seconds.panels.toFixed(2),
        seconds.share.toFixed(2),
        seconds.betweenSteps.toFixed(2),
      ]);
    });
  }
  return [
    table.toString(),
    'work: the steps that train, that aggregate and that wait for live windows; of it panels: what aggregation does after the strategy, sums for',
    'refits, refits, and scores of proposals. share: everything else; of it between: no activity ran.',
    ...results.flatMap((result) => [renderSteps(result), renderTraining(result), ...renderGrowth(result)]),
  ].join('\n');
}

/** Where the seconds went: each step in each of the latest rounds, in the order in which a round takes them. */
function renderSteps({ devices, rounds: all }: Result): string {
  const rounds = all.slice(-ROUNDS_SHOWN);
  const before = all.length - rounds.length;
  const names = [...new Set(rounds.flatMap(({ seconds }) => Object.keys(seconds.steps)))];
  const table = new Table({
    head: [`${devices} devices: seconds`, ...rounds.map((_, index) => `round ${before + index + 1}`)],
    style: { head: [], border: [] },
  });
  for (const name of names)
    table.push([name, ...rounds.map(({ seconds }) => seconds.steps[name]?.toFixed(3) ?? '')]);
  return table.toString();
}

function renderTraining({ training }: Result): string {
  return training
    .map(({ events, payloadBytes, carriedBytes }, index) => {
      const size = `run ${index + 1} of the training: ${events} events, ${kib(payloadBytes)} of payloads`;
      return carriedBytes === null ? size : `${size}, continued as new with ${carriedBytes} bytes`;
    })
    .join('\n');
}

/** One table, where there are rounds enough to speak of growth. */
function renderGrowth({ rounds }: Result): readonly string[] {
  const growth = growthOf(rounds);
  if (growth.length === 0) return [];
  const table = new Table({
    head: ['of a round', 'first ten', 'last ten', 'slope a round'],
    style: { head: [], border: [] },
  });
  for (const { name, first, last, slope } of growth)
    table.push([name, first.toFixed(3), last.toFixed(3), slope.toFixed(4)]);
  return [table.toString(), 'The first round, which makes v0, is left out.'];
}

function kib(bytes: number): string {
  return `${(bytes / 1_024).toFixed(1)} KiB`;
}
