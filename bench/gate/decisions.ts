import { gateSettingsSchema, federatedRoundInputSchema, mostWindows } from '../../core/contracts/rounds';
import { pairedChange } from '../../core/federation/promotion/cluster-interval';
import { decidePromotion } from '../../core/federation/promotion/gate';
import { type Random } from '../../core/platform/random';
import { WATCHED_WINDOWS, type RecordedFleet } from './record';
import { drawSeries, movedTo, total, type PairedSeries } from './series';

/** The product's defaults. */
const GATE = gateSettingsSchema.parse({});
const ROUND = federatedRoundInputSchema.parse({});
export const FIRST_LOOK = ROUND.windows;
export const LAST_LOOK = mostWindows(ROUND);

/** How much better a candidate is in the long run, in points of accuracy. */
export const CHANGES = [-5, -3, -1, 0, 1, 3] as const;
/** Lengths of which intervals are counted: of a first look, a last one, and a check of the champion. */
const INTERVAL_WINDOWS = [6, 12, 24] as const;
/** Rounds that are played on one draw of devices and versions. */
const ROUNDS_A_DRAW = 20;

/** What the gate did with candidates of one kind. */
export interface Decisions {
  readonly points: number;
  readonly rounds: number;
  readonly promoted: number;
  readonly rejected: number;
  /** Windows after which they were promoted, on average; null where none was. */
  readonly windowsToPromotion: number | null;
}

export interface Coverage {
  readonly windows: number;
  readonly intervals: number;
  readonly covering: number;
}

/** Play `rounds` rounds with candidates of each kind on draws from recorded fleets. */
export function playDecisions(
  fleets: readonly RecordedFleet[],
  devices: number,
  rounds: number,
  random: Random,
): { readonly decisions: readonly Decisions[]; readonly coverage: readonly Coverage[] } {
  const counts = CHANGES.map((points) => ({ points, rounds: 0, promoted: 0, rejected: 0, looks: 0 }));
  const coverage = INTERVAL_WINDOWS.map((windows) => ({ windows, intervals: 0, covering: 0 }));
  const longest = Math.max(LAST_LOOK, ...INTERVAL_WINDOWS);
  for (let round = 0; round < rounds; round += ROUNDS_A_DRAW) {
    const series = drawSeries(fleets, devices, random);
    for (let again = 0; again < ROUNDS_A_DRAW; again += 1) {
      const from = random.below(WATCHED_WINDOWS - longest);
      for (const count of counts) {
        const { promoted, rejected, windows } = playRound(series, count.points / 100, from);
        count.rounds += 1;
        count.promoted += promoted ? 1 : 0;
        count.rejected += rejected ? 1 : 0;
        count.looks += promoted ? windows : 0;
      }
      for (const count of coverage) {
        const { low, high } = pairedChange(movedTo(series, 0, from, count.windows), GATE.confidence);
        count.intervals += 1;
        count.covering += low <= 0 && high >= 0 ? 1 : 0;
      }
    }
  }
  return {
    coverage,
    decisions: counts.map(({ points, rounds: played, promoted, rejected, looks }) => ({
      points,
      rounds: played,
      promoted,
      rejected,
      windowsToPromotion: promoted === 0 ? null : looks / promoted,
    })),
  };
}

/** One candidate as a round judges it: after the first windows, then after each further one. */
function playRound(
  series: PairedSeries,
  change: number,
  from: number,
): { readonly promoted: boolean; readonly rejected: boolean; readonly windows: number } {
  for (let windows = FIRST_LOOK; ; windows += 1) {
    const clusters = movedTo(series, change, from, windows);
    const n = total(clusters, (sum) => sum.n);
    const { decision, isSettled } = decidePromotion(
      {
        clusters,
        accuracy: total(clusters, ({ candidateCorrect }) => candidateCorrect) / n,
        persistenceAccuracy:
          total(series.persistenceCorrect.slice(from, from + windows), (right) => right) / n,
        championIsUntrained: false,
      },
      GATE,
    );
    if (isSettled || windows === LAST_LOOK)
      return { promoted: decision === 'promoted', rejected: decision === 'rejected', windows };
  }
}
