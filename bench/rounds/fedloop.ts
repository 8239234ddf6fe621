import { performance } from 'node:perf_hooks';
import { RESIDUAL_CLIP } from '../../core/federation/constants';
import { addScaled } from '../../core/federation/vectors';
import { BatchTrainer } from '../../core/model/batch-trainer';
import { type TrainingChunk } from '../../core/model/epoch-plan';
import { initialWeights } from '../../core/model/network';
import { parameterCount, type FlatWeights, type NetworkShape } from '../../core/model/types';
import { seededRandom, type Random } from '../../core/platform/random';
import { loss } from '../support/reference-network';
import { workloadSchema, type Measurement, type Workload } from './workload';

/**
 * Fedloop's own turn: a process of its own, so that its peak memory is its own. Reads a workload (JSON) from its first
 * argument, prints a measurement (JSON). The code it times is what the site trainer runs.
 */

/** Devices in memory at once, as many as the reference fleet has; larger fleets come in chunks of this size. */
const DEVICES_IN_MEMORY = 2_407;

/** Devices whose loss is looked at. */
const DEVICES_JUDGED = 16;

async function measure(workload: Workload): Promise<Measurement> {
  const shape: NetworkShape = { inputs: workload.inputs, hidden: workload.hidden };
  const chunk = makeRows(workload, Math.min(workload.devices, DEVICES_IN_MEMORY));
  const base = initialWeights(shape, workload.seed);
  const setup = performance.now();
  const trainer = await BatchTrainer.create({ ...workload, shape, residualClip: RESIDUAL_CLIP });
  const setupSeconds = secondsSince(setup);
  const random = seededRandom(workload.seed, 'shuffles');
  const seconds: number[] = [];
  const cpuSeconds: number[] = [];
  let model = await runRound(trainer, workload, chunk, base, random);
  for (let run = 0; run < workload.repeat; run += 1) {
    const start = performance.now();
    const cpuStart = process.cpuUsage();
    model = await runRound(trainer, workload, chunk, base, random);
    seconds.push(secondsSince(start));
    const { user, system } = process.cpuUsage(cpuStart);
    cpuSeconds.push((user + system) / 1e6);
  }
  await trainer.release();
  return {
    seconds,
    cpuSeconds,
    setupSeconds,
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
    lossBefore: meanLoss(shape, base, chunk, workload.rows),
    lossAfter: meanLoss(shape, model, chunk, workload.rows),
  };
}

/** Train all devices from `base` and return base + Σ nᵢ δᵢ / Σ nᵢ. */
async function runRound(
  trainer: BatchTrainer,
  { devices, rows, inputs, hidden }: Workload,
  chunk: TrainingChunk,
  base: FlatWeights,
  random: Random,
): Promise<FlatWeights> {
  const parameters = parameterCount({ inputs, hidden });
  const sum = new Float64Array(parameters);
  for (let first = 0; first < devices; first += chunk.devices) {
    const part = firstDevices(chunk, Math.min(chunk.devices, devices - first));
    const trained = await trainer.train(part, base, random);
    for (let at = 0; at < trained.length; at += parameters) {
      addScaled(sum, subtract(trained.subarray(at, at + parameters), base), rows);
    }
  }
  return base.map((weight, at) => weight + (sum[at] ?? NaN) / (devices * rows));
}

/** weights − base, in place. */
function subtract(weights: FlatWeights, base: FlatWeights): FlatWeights {
  for (let at = 0; at < weights.length; at += 1) weights[at] = (weights[at] ?? NaN) - (base[at] ?? NaN);
  return weights;
}

function firstDevices(chunk: TrainingChunk, devices: number): TrainingChunk {
  const share = (values: Float32Array): Float32Array =>
    values.subarray(0, (values.length / chunk.devices) * devices);
  return { devices, x: share(chunk.x), y: share(chunk.y), sampleWeights: share(chunk.sampleWeights) };
}

/** Rows of variance 1 and targets that follow a linear rule, a little different on each device, with noise. */
function makeRows({ rows, inputs, seed }: Workload, devices: number): TrainingChunk {
  const random = seededRandom(seed, 'rows');
  const centred = (): number => Math.sqrt(12) * (random.uniform() - 0.5);
  const rule = Float64Array.from({ length: inputs }, () => random.normal() / Math.sqrt(inputs));
  const x = new Float32Array(devices * rows * inputs);
  const y = new Float32Array(devices * rows);
  for (let row = 0; row < devices * rows; row += 1) {
    const own = 1 + 0.2 * Math.sin(Math.floor(row / rows));
    let target = 0.3 * centred();
    for (let input = 0; input < inputs; input += 1) {
      const value = centred();
      x[row * inputs + input] = value;
      target += own * value * (rule[input] ?? 0);
    }
    y[row] = target;
  }
  return { devices, x, y, sampleWeights: new Float32Array(devices * rows).fill(1) };
}

function meanLoss(shape: NetworkShape, weights: FlatWeights, chunk: TrainingChunk, rows: number): number {
  const judged = firstDevices(chunk, Math.min(chunk.devices, DEVICES_JUDGED));
  return loss(shape, weights, { ...judged, rows: judged.devices * rows }, RESIDUAL_CLIP);
}

function secondsSince(start: number): number {
  return (performance.now() - start) / 1000;
}

void measure(workloadSchema.parse(JSON.parse(process.argv[2] ?? '{}'))).then((measurement) => {
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
});
