import { RESIDUAL_CLIP } from '../../core/federation/constants';
import { BatchTrainer } from '../../core/model/batch-trainer';
import { initialWeights } from '../../core/model/network';
import { type FlatWeights } from '../../core/model/types';
import { FEATURES } from './task';
import { seededRandom } from '../../core/platform/random';
import { type RoundGraphs } from '../../core/backtest/graphs';
import { SHAPE } from './task';
import { SHADOW_WINDOWS, WATERMARK_WINDOWS, type PlayOptions } from './play-options';
import { count, emptyScore, serve, type Played } from './score';
import { type World } from './world';

/** Steps of one run of the trainer; each run draws its rows again. */
const STEPS_A_DRAW = 50;
const BATCH = 64;
/** Learning rates, each with its part of the steps. */
const SCHEDULE = [
  { learningRate: 0.05, part: 0.5 },
  { learningRate: 0.02, part: 0.3 },
  { learningRate: 0.005, part: 0.2 },
] as const;
const FIRST_STEPS = 4_000;
const LATER_STEPS = 1_500;
/** Devices whose past a model of all is fitted on; more change nothing. */
const POOLED_DEVICES = 400;

/** How the bound is made, for the report. */
export const CENTRAL_ABOUT =
  'one model trained on the pooled readings of 400 devices (all, after a change), told when the change came, with the same latency';

/**
 * The bound: all readings in one place, and the time of the fleet's change known. Trained before round 1, again every four rounds,
 * and after a change every round on the windows after it.
 */
export async function playCentral(world: World, graphs: RoundGraphs, options: PlayOptions): Promise<Played> {
  const { rounds, windowsPerRound, seed } = options;
  const { changeWindow, scenario, trainingWindows } = world.options;
  const changes =
    scenario === 'season' || scenario === 'clock' || scenario === 'clock-half' || scenario === 'recal';
  const score = emptyScore(rounds * windowsPerRound, world.devices.length);
  const random = seededRandom(seed, 'central');
  let weights = initialWeights(SHAPE, seed);
  const latency = WATERMARK_WINDOWS + SHADOW_WINDOWS;
  await serve(world, graphs, weights, 0, latency, score);
  for (let round = 1; round <= rounds; round += 1) {
    const closed = (round - 1) * windowsPerRound;
    const sinceChange = changes ? closed - changeWindow : 0;
    if (sinceChange > 0 || (round - 1) % 4 === 0) {
      const ids = world.devices.map(({ deviceId }) => deviceId);
      random.shuffle(ids);
      const pool = sinceChange > 0 ? ids : ids.slice(0, POOLED_DEVICES);
      const samples = world.samples(closed - 1, sinceChange > 0 ? sinceChange : trainingWindows, pool);
      const steps = round === 1 ? FIRST_STEPS : LATER_STEPS;
      for (const { learningRate, part } of SCHEDULE) {
        const trainer = await BatchTrainer.create({
          shape: SHAPE,
          batchSize: BATCH,
          rows: BATCH * STEPS_A_DRAW,
          epochs: 1,
          learningRate,
          residualClip: RESIDUAL_CLIP,
          threads: graphs.threads,
        });
        weights = await train(trainer, weights, samples, Math.round((steps * part) / STEPS_A_DRAW), random);
        await trainer.release();
      }
    }
    await serve(world, graphs, weights, closed + latency, closed + latency + windowsPerRound, score);
  }
  return { ...score, served: '·'.repeat(rounds) };
}

async function train(
  trainer: BatchTrainer,
  start: FlatWeights,
  samples: { readonly count: number; readonly x: Float32Array; readonly y: Float32Array },
  draws: number,
  random: ReturnType<typeof seededRandom>,
): Promise<FlatWeights> {
  const rows = BATCH * STEPS_A_DRAW;
  let weights = start;
  for (let draw = 0; draw < draws; draw += 1) {
    const x = new Float32Array(rows * FEATURES);
    const y = new Float32Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const from = random.below(samples.count);
      x.set(samples.x.subarray(from * FEATURES, (from + 1) * FEATURES), row * FEATURES);
      y[row] = samples.y[from] ?? NaN;
    }
    weights = await trainer.train(
      { devices: 1, x, y, sampleWeights: new Float32Array(rows).fill(1) },
      weights,
      random,
    );
  }
  return weights;
}

/** Persistence: the next mean is the last one, so a forecast is right when the change is at most one tolerance. */
export function playPersistence(world: World, { rounds, windowsPerRound }: PlayOptions): Played {
  const score = emptyScore(rounds * windowsPerRound, world.devices.length);
  const windows = rounds * windowsPerRound;
  const samples = world.samples(windows - 1, windows);
  count(world, samples, new Float32Array(samples.count), windows, score);
  return { ...score, served: '·'.repeat(rounds) };
}
