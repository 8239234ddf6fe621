import { type VersionId } from '../../contracts/ids';
import { type ChampionVerdict, type LiveCheckSettings } from '../../contracts/live-checks';
import { type Interval } from '../../contracts/rounds';
import { countWindows, describeChange, tooFewWindows } from './gate';
import { pairedChange, type PairedCluster } from './cluster-interval';

type Settings = Pick<LiveCheckSettings, 'margin' | 'minWindows' | 'confidence'>;

/** The champion beside each of its two rivals: it stands as `candidateCorrect`, the rival as `championCorrect`. */
export interface LiveEvidence {
  /** The version in shadow; null when there is none to roll back to. */
  readonly predecessor: VersionId | null;
  readonly againstPredecessor: readonly PairedCluster[];
  readonly againstPersistence: readonly PairedCluster[];
}

/**
 * Whether the champion stays. It goes when it is worse by more than the margin, beyond chance, than its predecessor in shadow or than
 * persistence, on the same live windows. A champion behind persistence stays while there is no predecessor to roll back to, or while
 * the predecessor is worse still beyond chance: a rollback must not lower accuracy.
 */
export function judgeChampion(
  { predecessor, againstPredecessor, againstPersistence }: LiveEvidence,
  settings: Settings,
): ChampionVerdict {
  const beside = comparison(againstPredecessor, settings);
  if (predecessor !== null && beside.worse)
    return {
      action: 'rollback',
      to: predecessor,
      reason: beside.worseThan(`its predecessor ${predecessor}`),
    };
  const floor = comparison(againstPersistence, settings);
  if (floor.worse) {
    const fault = floor.worseThan('persistence');
    if (predecessor === null)
      return { action: 'keep', reason: `${fault}, but there is no predecessor to go back to` };
    if (beside.better)
      return { action: 'keep', reason: `${fault}, but its predecessor ${predecessor} is worse still` };
    return { action: 'rollback', to: predecessor, reason: fault };
  }
  const reason = floor.enough
    ? 'not worse than its predecessor or persistence beyond chance'
    : tooFewWindows(floor.windows, settings.minWindows);
  return { action: 'keep', reason };
}

interface Comparison {
  readonly windows: number;
  readonly enough: boolean;
  readonly worse: boolean;
  readonly better: boolean;
  readonly worseThan: (rival: string) => string;
}

function comparison(
  clusters: readonly PairedCluster[],
  { margin, minWindows, confidence }: Settings,
): Comparison {
  const windows = countWindows(clusters);
  const enough = windows >= minWindows;
  const change: Interval = pairedChange(clusters, confidence);
  return {
    windows,
    enough,
    worse: enough && change.high < -margin,
    better: enough && change.low > margin,
    worseThan: (rival) => `${describeChange(change)} than ${rival} on the same ${windows} live windows`,
  };
}
