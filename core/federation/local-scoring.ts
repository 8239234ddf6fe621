import { type ScoreMessage } from '../contracts/updates';
import { type ModelsOnSamples } from '../model/batch-predictor';
import { type FlatWeights } from '../model/types';
import { MAX_SCORE_OUTPUTS, RECENT_WINDOWS } from './constants';
import { isCorrect } from './panel-tally';
import { type Samples } from './samples';
import { type RealAccuracy } from './strategies/strategy';
import { type CheckedUpdate } from './update-checks';

/** Real accuracy of a chunk's local models on one site's panel, as counts: those of several sites add up. */
export type LocalScores = Pick<ScoreMessage, 'rows_recent' | 'rows_long' | 'correct_recent' | 'correct_long'>;

/**
 * Score local models on panel A's last 24 closed windows, of devices that did not train.
 * @param deltas local − global weights [models, P]
 * @param samples of panel A; those of the newest 6 windows are the recent ones
 */
export async function scoreLocalModels(
  predictor: ModelsOnSamples,
  base: FlatWeights,
  deltas: Float32Array,
  samples: Samples,
): Promise<LocalScores> {
  const parameters = base.length;
  const models = deltas.length / parameters;
  const isRecent = Uint8Array.from(samples.age, (age) => Number(age < RECENT_WINDOWS));
  const scores: LocalScores = {
    rows_recent: isRecent.reduce((sum, flag) => sum + flag, 0),
    rows_long: samples.count,
    correct_recent: new Array<number>(models).fill(0),
    correct_long: new Array<number>(models).fill(0),
  };
  if (samples.count === 0) return scores;
  const atOnce = Math.max(1, Math.floor(MAX_SCORE_OUTPUTS / samples.count));
  for (let first = 0; first < models; first += atOnce) {
    const until = Math.min(first + atOnce, models);
    const weights = deltas.slice(first * parameters, until * parameters);
    for (let at = 0; at < weights.length; at += 1)
      weights[at] = (weights[at] ?? NaN) + (base[at % parameters] ?? NaN);
    const outputs = await predictor.predict(weights, samples.x);
    for (let model = first; model < until; model += 1) {
      let recent = 0;
      let long = 0;
      for (let sample = 0; sample < samples.count; sample += 1) {
        const right = isCorrect(
          (outputs[(model - first) * samples.count + sample] ?? NaN) - (samples.y[sample] ?? NaN),
        );
        long += right;
        recent += right * (isRecent[sample] ?? 0);
      }
      scores.correct_recent[model] = recent;
      scores.correct_long[model] = long;
    }
  }
  return scores;
}

interface Counts {
  correctRecent: number;
  rowsRecent: number;
  correctLong: number;
  rowsLong: number;
}

/**
 * Real accuracy of each good update from what the sites counted. A chunk that a site scored twice (a retry) counts once; an update that nobody
 * scored has none.
 */
export function realAccuracies(
  scores: readonly ScoreMessage[],
  updates: readonly CheckedUpdate[],
): RealAccuracy[] {
  const counts = new Map<string, Counts>();
  const counted = new Set<string>();
  for (const score of scores) {
    const chunkKey = JSON.stringify([score.scored_site, score.scored_chunk]);
    const once = `${score.site}:${chunkKey}`;
    if (counted.has(once)) continue;
    counted.add(once);
    score.device_id.forEach((_, place) => {
      const key = `${chunkKey}/${place}`;
      const known = counts.get(key) ?? { correctRecent: 0, rowsRecent: 0, correctLong: 0, rowsLong: 0 };
      known.correctRecent += score.correct_recent[place] ?? 0;
      known.correctLong += score.correct_long[place] ?? 0;
      known.rowsRecent += score.rows_recent;
      known.rowsLong += score.rows_long;
      counts.set(key, known);
    });
  }
  return updates.map(({ site, chunk, place }) => {
    const known = counts.get(`${JSON.stringify([site, chunk])}/${place}`);
    return {
      recent: known === undefined || known.rowsRecent === 0 ? null : known.correctRecent / known.rowsRecent,
      long: known === undefined || known.rowsLong === 0 ? null : known.correctLong / known.rowsLong,
    };
  });
}
