import { featureCount, historyWindows } from '../../contracts/task';
import { type UpdateHeader } from '../../contracts/updates';
import { scaleFeatures } from '../../model/features';
import { CONSTANT_SPREAD, MIN_TRAINING_ROWS } from '../constants';
import { seriesOfTargets, writeSample, type SampleUnits, type TargetRange } from './samples';
import { type WindowRing } from './window-ring';

/** Rows of the devices that can train, all with the same number of places; what a device lacks is padding. */
export interface TrainingRows {
  readonly deviceIds: readonly string[];
  readonly leftOut: UpdateHeader['left_out'];
  /** Scaled features [devices, windows, inputs]. */
  readonly x: Float32Array;
  /** Actual changes in tolerances [devices, windows]. */
  readonly y: Float32Array;
  /** 1 for a sample, 0 for padding [devices, windows]. */
  readonly isSample: Float32Array;
  /** Samples of each device. */
  readonly rows: readonly number[];
}

/**
 * Collect the samples of a chunk's devices that can train; those with too few rows, constant data or values that are not numbers are named
 * with their reason. Memory is about devices · windows · 130 bytes.
 */
export function collectTrainingRows(
  ring: WindowRing,
  deviceIds: readonly string[],
  range: TargetRange,
  units: SampleUnits,
): TrainingRows {
  const { windows } = range;
  const { task } = ring;
  const inputs = featureCount(task);
  const x = new Float32Array(deviceIds.length * windows * inputs);
  const y = new Float32Array(deviceIds.length * windows);
  const isSample = new Float32Array(deviceIds.length * windows);
  const kept: string[] = [];
  const rows: number[] = [];
  const leftOut: UpdateHeader['left_out'] = [];
  for (const deviceId of deviceIds) {
    const from = kept.length * windows;
    const series = seriesOfTargets(ring, deviceId, range);
    for (let target = 0; target < windows; target += 1) {
      const isThere = writeSample(task, series, target, units.tolerance, x, y, from + target);
      isSample[from + target] = isThere ? 1 : 0;
    }
    const isBroken = ring.hadBrokenValue(deviceId, range.until, windows + historyWindows(task));
    const own = y.subarray(from, from + windows).filter((_, target) => isSample[from + target] === 1);
    const reason = isBroken ? 'not-finite' : whyNot(own, windows);
    if (reason === null) {
      kept.push(deviceId);
      rows.push(own.length);
    } else {
      leftOut.push({ device_id: deviceId, reason });
      x.fill(0, from * inputs, (from + windows) * inputs);
      y.fill(0, from, from + windows);
      isSample.fill(0, from, from + windows);
    }
  }
  const total = kept.length * windows;
  const packed = x.subarray(0, total * inputs);
  scaleFeatures(packed, total, units.scaling);
  return {
    deviceIds: kept,
    leftOut,
    rows,
    x: packed,
    y: y.subarray(0, total),
    isSample: isSample.subarray(0, total),
  };
}

/** Why a device cannot train on these targets [samples]; null when it can. */
export function whyNot(targets: Float32Array, windows: number): 'too-few-rows' | 'constant-data' | null {
  if (targets.length < Math.min(MIN_TRAINING_ROWS, windows)) return 'too-few-rows';
  const smallest = targets.reduce((min, value) => Math.min(min, value), Infinity);
  const largest = targets.reduce((max, value) => Math.max(max, value), -Infinity);
  return largest - smallest < CONSTANT_SPREAD ? 'constant-data' : null;
}
