import Table from 'cli-table3';
import { type StrategyName } from '../../core/contracts/strategies';
import { type Verdict } from '../loop/goals';
import { type Estimate } from '../loop/statistics';
import { type LieName } from './lies';

/** What one lie costs one strategy, over all seeds. */
export interface Line {
  readonly lie: LieName;
  /** Of devices, or of sites where they lie. */
  readonly share: number;
  readonly strategy: StrategyName;
  /** Points of accuracy on honest devices, without liars − with them. */
  readonly lost: Estimate;
  readonly bySeed: readonly number[];
}

/** Most points that the default may lose to a tenth of liars. */
const GOAL = { strategy: 'closed-loop', share: 0.1, points: 2 } as const;

export function judgeGoals(lines: readonly Line[]): Verdict[] {
  return lines
    .filter(({ strategy, share }) => strategy === GOAL.strategy && share === GOAL.share)
    .map(({ lie, lost }) => ({
      goal: `${GOAL.strategy}, 10 % ${lie}: loses under ${GOAL.points} points`,
      measured: lostText(lost),
      met: lost.mean < GOAL.points,
    }));
}

/** Lies and shares down, strategies across. */
export function tableOf(lines: readonly Line[]): string {
  const strategies = [...new Set(lines.map(({ strategy }) => strategy))];
  const table = new Table({ head: ['lie', '%', ...strategies], style: { head: [], border: [] } });
  for (const lie of new Set(lines.map((line) => line.lie)))
    for (const share of new Set(lines.map((line) => line.share))) {
      const cells = strategies.map((strategy) => {
        const line = lines.find((one) => one.lie === lie && one.share === share && one.strategy === strategy);
        return line === undefined ? '·' : lostText(line.lost);
      });
      table.push([lie, `${100 * share}`, ...cells]);
    }
  return table.toString();
}

/** Points lost with half the width of the interval; a gain is negative. */
function lostText({ mean, high }: Estimate): string {
  const half = high === null ? '' : ` ±${(high - mean).toFixed(2)}`;
  return `${mean.toFixed(2).replace('-', '−')}${half}`;
}
