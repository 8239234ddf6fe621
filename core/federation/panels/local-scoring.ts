import { type ScoreMessage } from '../../contracts/updates';
import { type ModelsOnSamples, type SampleGroups } from '../../model/batch-predictor';
import { type FlatWeights } from '../../model/types';
import { RECENT_WINDOWS } from '../constants';
import { type Samples } from '../training/samples';
import { type RealAccuracy } from '../strategies/strategy';
import { type CheckedUpdate } from '../aggregation/update-checks';

/** Real accuracy of a chunk's local models on one site's panel, as counts; counts of several sites add up. */
export type LocalScores = Pick<ScoreMessage, 'rows_recent' | 'rows_long' | 'correct_recent' | 'correct_long'>;

/** A panel that many chunks of local models are scored on. */
export interface ScoringPanel {
  readonly rows: { readonly recent: number; readonly long: number };
  readonly samples: SampleGroups;
}

/** @param samples of panel A's last 24 closed windows, of devices that did not train; those of the newest 6 are the recent ones */
export function scoringPanel(samples: Samples): ScoringPanel {
  // For each sample, whether it is in group 0 (all) and in group 1 (recent).
  const groups = new Float32Array(samples.count * GROUPS);
  let recent = 0;
  samples.age.forEach((age, sample) => {
    const isRecent = Number(age < RECENT_WINDOWS);
    recent += isRecent;
    groups[sample * GROUPS] = 1;
    groups[sample * GROUPS + 1] = isRecent;
  });
  return { rows: { recent, long: samples.count }, samples: { x: samples.x, actual: samples.y, groups } };
}

/**
 * Score local models on a panel.
 * @param deltas local − global weights [models, P]
 */
export async function scoreLocalModels(
  predictor: ModelsOnSamples,
  base: FlatWeights,
  deltas: Float32Array,
  { rows, samples }: ScoringPanel,
): Promise<LocalScores> {
  const models = deltas.length / base.length;
  const counts = await predictor.countCorrect(base, deltas, samples);
  const correctIn = (group: number): number[] =>
    Array.from({ length: models }, (_, model) => counts[model * GROUPS + group] ?? 0);
  return {
    rows_recent: rows.recent,
    rows_long: rows.long,
    correct_recent: correctIn(1),
    correct_long: correctIn(0),
  };
}

/** Groups of samples that a model's correct ones are counted in. */
const GROUPS = 2;

/**
 * Real accuracy of each good update from the sites' counts. A chunk that a site scored twice (a retry) counts once; an update that no site
 * scored has none.
 */
export function realAccuracies(
  scores: readonly ScoreMessage[],
  updates: readonly CheckedUpdate[],
): RealAccuracy[] {
  const byChunk = new Map<string, Map<string, ScoreMessage>>();
  for (const score of scores) {
    const chunkKey = JSON.stringify([score.scored_site, score.scored_chunk]);
    const bySite = byChunk.get(chunkKey) ?? new Map<string, ScoreMessage>();
    byChunk.set(chunkKey, bySite);
    if (!bySite.has(score.site)) bySite.set(score.site, score);
  }
  return updates.map(({ site, chunk, place }) => {
    const bySite = byChunk.get(JSON.stringify([site, chunk]))?.values() ?? [];
    const own = [...bySite].filter(({ device_id }) => place < device_id.length);
    return accuracyOf(own, place);
  });
}

/** Real accuracy of the local model at a place of its chunk, from the counts of all sites that scored it. */
export function accuracyOf(scores: readonly LocalScores[], place: number): RealAccuracy {
  const share = (span: 'recent' | 'long'): number | null => {
    const rows = scores.reduce((sum, score) => sum + score[`rows_${span}`], 0);
    const correct = scores.reduce((sum, score) => sum + (score[`correct_${span}`][place] ?? 0), 0);
    return rows === 0 ? null : correct / rows;
  };
  return { recent: share('recent'), long: share('long') };
}
