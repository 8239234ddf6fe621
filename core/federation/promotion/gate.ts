import { type Decision, type Finding } from '../../contracts/decisions';
import { type GateSettings, type Interval } from '../../contracts/rounds';
import { clusterInterval, DIFFERENCE_RANGE, pairedChange, type ScoredCluster } from './cluster-interval';
import { sequenceMultiplier } from './confidence-sequence';

/** A candidate on its live windows. */
export interface GateEvidence {
  /** Beside the champion, on the device-windows that both forecast. */
  readonly clusters: readonly ScoredCluster[];
  /** Accuracy of candidate and persistence on the same device-windows. */
  readonly accuracy: number;
  readonly persistenceAccuracy: number;
  /** Whether the champion is the first version, which nobody has trained. */
  readonly championIsUntrained: boolean;
}

export interface GateVerdict {
  readonly decision: Decision;
  readonly finding: Finding;
  /** Of accuracy, with the interval that people see. */
  readonly change: Interval;
  readonly reason: string;
  /** Whether more windows could not change it: it stays as true however often one has looked. */
  readonly isSettled: boolean;
}

/**
 * What a candidate's live windows show, as often as one looks. It is decided by the smooth score, in which a small change shows
 * sooner than in accuracy, and by its confidence sequence: whoever looks after every window is wrong no more often than who looks once. `better`: the sequence lies
 * above 0; `no worse`: above −margin. Neither is promoted where its accuracy measured more than `measuredLoss` under the champion's, or under persistence;
 * a negative `measuredLoss` asks for so much more accuracy of what is `no worse`.
 */
export function decidePromotion(evidence: GateEvidence, settings: GateSettings): GateVerdict {
  const { clusters } = evidence;
  const { minWindows, confidence, risk } = settings;
  const change = pairedChange(clusters, confidence);
  const windows = countWindows(clusters);
  if (windows < minWindows)
    return {
      decision: 'rejected',
      finding: 'too few windows',
      change,
      reason: tooFewWindows(windows, minWindows),
      isSettled: false,
    };
  const score = clusterInterval(
    clusters,
    ({ candidateScore, championScore }) => candidateScore - championScore,
    (degreesOfFreedom) => sequenceMultiplier(degreesOfFreedom, risk),
    DIFFERENCE_RANGE,
  );
  const finding = findingOf(evidence, change, score, settings);
  const decision = DECIDED[finding];
  return {
    decision,
    finding,
    change,
    reason: `${describeChange(change)} than the champion on the same ${windows} live windows${explain(finding, evidence, score, settings)}`,
    isSettled: decision === 'promoted' || finding === 'worse',
  };
}

const DECIDED: Readonly<Record<Finding, Decision>> = {
  better: 'promoted',
  'no worse': 'promoted',
  'first trained': 'promoted',
  'not shown': 'kept',
  worse: 'rejected',
  'under persistence': 'kept',
  'too few windows': 'rejected',
};

function findingOf(
  { accuracy, persistenceAccuracy, championIsUntrained }: GateEvidence,
  change: Interval,
  score: Interval,
  { margin, measuredLoss }: GateSettings,
): Finding {
  const measuredWorse = change.mean < -Math.max(0, measuredLoss);
  if (measuredWorse && score.high < 0) return 'worse';
  if (accuracy < persistenceAccuracy) return 'under persistence';
  if (championIsUntrained && change.mean > 0) return 'first trained';
  if (measuredWorse || score.low < -margin) return 'not shown';
  if (score.low > 0) return 'better';
  return change.mean < -measuredLoss ? 'not shown' : 'no worse';
}

function explain(
  finding: Finding,
  { accuracy, persistenceAccuracy }: GateEvidence,
  { low, high }: Interval,
  { margin, measuredLoss }: GateSettings,
): string {
  const shown = `its smooth score lies between ${points(low)} and ${points(high)} points from the champion’s`;
  switch (finding) {
    case 'under persistence':
      return `, but under persistence: ${points(accuracy)} % beside ${points(persistenceAccuracy)} %`;
    case 'first trained':
      return '; the first version that was trained, and over persistence';
    case 'not shown':
      return `; neither better, nor within the margin of ${points(margin)} and measured ${measured(measuredLoss)}, is shown: ${shown}`;
    case 'no worse':
      return `; no worse than the margin of ${points(margin)} is shown: ${shown}`;
    case 'better':
    case 'worse':
    case 'too few windows':
      return `; that it is ${finding} is shown: ${shown}`;
  }
}

function measured(loss: number): string {
  return loss > 0 ? `at most ${points(loss)} worse` : `at least ${points(-loss)} better`;
}

export function tooFewWindows(windows: number, minWindows: number): string {
  return `only ${windows} of ${minWindows} live windows were measured`;
}

/** Windows that have at least one pair. */
export function countWindows(
  clusters: readonly { readonly n: number; readonly windowStart: number }[],
): number {
  return new Set(clusters.filter(({ n }) => n > 0).map(({ windowStart }) => windowStart)).size;
}

/** In words: `1.20 points worse (−2.00 to −0.40)`; `1.20 points worse (too few windows for an interval)`. */
export function describeChange({ mean, low, high }: Interval): string {
  const [lowest, highest] = DIFFERENCE_RANGE;
  const interval =
    low === lowest && high === highest
      ? 'too few windows for an interval'
      : `${points(low)} to ${points(high)}`;
  return `${points(Math.abs(mean))} points ${mean < 0 ? 'worse' : 'better'} (${interval})`;
}

function points(share: number): string {
  return (100 * share).toFixed(2).replace('-', '−');
}
