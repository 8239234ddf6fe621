import Table from 'cli-table3';
import { type Estimate } from './statistics';

/** One contender in one scenario, over all seeds. Accuracies and differences in percent and points. */
export interface Line {
  readonly scenario: string;
  readonly clock: string;
  readonly contender: string;
  readonly accuracy: Estimate;
  readonly healthyAccuracy: Estimate;
  /** Paired with the first contender on the same fleets and seeds; null for itself. */
  readonly difference: Estimate | null;
  readonly healthyDifference: Estimate | null;
  /** Mean accuracy round by round. */
  readonly byRound: readonly number[];
  /** Who served, for each seed. */
  readonly served: readonly string[];
}

/** Contenders down, scenarios across: the opponent's accuracy, then differences with half the width of their intervals. */
export function tableOf(lines: readonly Line[]): string {
  return [...new Set(lines.map(({ clock }) => clock))]
    .map((clock) => {
      const own = lines.filter((line) => line.clock === clock);
      const scenarios = [...new Set(own.map(({ scenario }) => scenario))];
      const table = new Table({ head: [`clock: ${clock}`, ...scenarios], style: { head: [], border: [] } });
      for (const contender of new Set(own.map((line) => line.contender))) {
        const cells = scenarios.map((scenario) => {
          const line = own.find(
            (candidate) => candidate.contender === contender && candidate.scenario === scenario,
          );
          return line === undefined ? '' : cellOf(line);
        });
        table.push([contender, ...cells]);
      }
      return table.toString();
    })
    .join('\n\n');
}

function cellOf({ accuracy, difference }: Line): string {
  if (difference === null) return accuracy.mean.toFixed(1);
  const sign = difference.mean < 0 ? '' : '+';
  const half = difference.high === null ? '' : ` ±${(difference.high - difference.mean).toFixed(2)}`;
  return `${sign}${difference.mean.toFixed(2)}${half}`;
}

const BAR = 24;

/** Differences to the opponent as bars, one scenario after the other: `·` marks zero, `─` the interval, `●` the mean. */
export function chartOf(lines: readonly Line[]): string {
  const compared = lines.filter(
    // Persistence lies so far off that nothing else could be told apart.
    (line): line is ComparedLine => line.difference !== null && line.contender !== 'persistence',
  );
  const titles = new Set(compared.map(titleOf));
  return [...titles]
    .map((title) =>
      barsOf(
        title,
        compared.filter((line) => titleOf(line) === title),
      ),
    )
    .join('\n\n');
}

type ComparedLine = Line & { readonly difference: Estimate };

function titleOf({ scenario, clock }: Line): string {
  return `${scenario}, ${clock} clock`;
}

function barsOf(title: string, lines: readonly ComparedLine[]): string {
  const ends = lines.flatMap(({ difference: { low, high, mean } }) => [low ?? mean, high ?? mean]);
  const reach = Math.max(1, ...ends.map(Math.abs));
  const place = (points: number): number => Math.round(BAR + (points / reach) * BAR);
  const widest = Math.max(...lines.map(({ contender }) => contender.length));
  const bars = lines.map(({ contender, difference: { mean, low, high } }) => {
    const cells = Array.from<unknown, string>({ length: 2 * BAR + 1 }, (_, at) => (at === BAR ? '·' : ' '));
    for (let at = place(low ?? mean); at <= place(high ?? mean); at += 1) cells[at] = '─';
    cells[place(mean)] = '●';
    return `  ${contender.padEnd(widest)} ${cells.join('')} ${mean.toFixed(2)}`;
  });
  return [
    `${title} (points against the opponent, −${reach.toFixed(1)} to +${reach.toFixed(1)})`,
    ...bars,
  ].join('\n');
}
