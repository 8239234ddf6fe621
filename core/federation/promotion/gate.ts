import { type Decision } from '../../contracts/decisions';
import { type GateSettings, type Interval } from '../../contracts/rounds';
import { pairedChange, type PairedCluster } from './cluster-interval';

export interface GateVerdict {
  readonly decision: Extract<Decision, 'promoted' | 'rejected'>;
  readonly change: Interval;
  readonly reason: string;
}

/**
 * Whether a candidate may serve, by its live windows beside the champion: rejected when it is worse by more than the margin beyond what
 * chance explains (the interval's upper end lies below −margin), or when fewer windows than required were measured.
 */
export function decidePromotion(
  clusters: readonly PairedCluster[],
  { margin, minWindows, confidence }: GateSettings,
): GateVerdict {
  const change = pairedChange(clusters, confidence);
  const windows = countWindows(clusters);
  if (windows < minWindows)
    return { decision: 'rejected', change, reason: tooFewWindows(windows, minWindows) };
  const worse = change.high < -margin;
  return {
    decision: worse ? 'rejected' : 'promoted',
    change,
    reason: `${describeChange(change)} than the champion on the same ${windows} live windows${worse ? `, beyond the margin of ${points(margin)}` : ''}`,
  };
}

export function tooFewWindows(windows: number, minWindows: number): string {
  return `only ${windows} of ${minWindows} live windows were measured`;
}

/** Windows that have at least one pair. */
export function countWindows(clusters: readonly PairedCluster[]): number {
  return new Set(clusters.filter(({ n }) => n > 0).map(({ windowStart }) => windowStart)).size;
}

/** In words: `1.20 points worse (−2.00 to −0.40)`. */
export function describeChange({ mean, low, high }: Interval): string {
  return `${points(Math.abs(mean))} points ${mean < 0 ? 'worse' : 'better'} (${points(low)} to ${points(high)})`;
}

function points(share: number): string {
  return (100 * share).toFixed(2).replace('-', '−');
}
