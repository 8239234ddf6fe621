import Table from 'cli-table3';
import { type Line, type Opponent } from './lines';
import { type Estimate } from './statistics';

/**
 * Contenders down, scenarios across, one table a clock: the opponent's accuracy in percent, then paired differences to it in points with half
 * the width of their 95 % intervals.
 */
export function tableOf(lines: readonly Line[], opponent: Opponent, who: readonly string[]): string {
  return [...new Set(lines.map(({ clock }) => clock))]
    .map((clock) => {
      const own = lines.filter((line) => line.clock === clock);
      const scenarios = [...new Set(own.map(({ scenario }) => scenario))];
      const table = new Table({ head: [`clock: ${clock}`, ...scenarios], style: { head: [], border: [] } });
      for (const contender of [opponent, ...who]) {
        const cells = scenarios.map((scenario) => {
          const line = own.find((known) => known.contender === contender && known.scenario === scenario);
          return line === undefined ? '' : cellOf(line, opponent);
        });
        table.push([contender, ...cells]);
      }
      return table.toString();
    })
    .join('\n');
}

function cellOf({ accuracy, against, contender }: Line, opponent: Opponent): string {
  const difference = against[opponent];
  return contender === opponent || difference === undefined
    ? accuracy.mean.toFixed(1)
    : differenceOf(difference);
}

/** `+1.23 ±0.45`, points. */
export function differenceOf({ mean, high }: Estimate): string {
  const sign = mean < 0 ? '−' : '+';
  const half = high === null ? '' : ` ±${(high - mean).toFixed(2)}`;
  return `${sign}${Math.abs(mean).toFixed(2)}${half}`;
}
