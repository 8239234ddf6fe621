import { softCorrectSlope } from '../../contracts/soft-score';
import { hiddenActivations, outputOf } from '../../model/hidden-activations';
import { weightOffsets } from '../../model/network';
import { FEATURE_CLIP, parameterCount, type FlatWeights, type NetworkShape } from '../../model/types';
import { type Samples } from '../training/samples';

/**
 * Σ over devices of the gradient of a device's mean soft score by the network's weights [P]: what a small step of any of them would bring. Sums of several
 * sites add up, so that readings stay where they are.
 */
export function softGradient(shape: NetworkShape, weights: FlatWeights, samples: Samples): Float64Array {
  const { inputs, hidden } = shape;
  const { b1, w2, b2 } = weightOffsets(shape);
  const activations = hiddenActivations(shape, weights, samples.x);
  const windows = windowsByDevice(samples);
  const gradient = new Float64Array(parameterCount(shape));
  const add = (at: number, value: number): void => {
    gradient[at] = (gradient[at] ?? NaN) + value;
  };
  for (let sample = 0; sample < samples.count; sample += 1) {
    const output = outputOf(shape, weights, activations, sample);
    const share = 1 / (windows.get(samples.device[sample] ?? -1) ?? NaN);
    const slope = share * softCorrectSlope(output - (samples.y[sample] ?? NaN));
    add(b2, slope);
    for (let unit = 0; unit < hidden; unit += 1) {
      const activation = activations[sample * hidden + unit] ?? NaN;
      // A unit at rest passes nothing on.
      if (activation === 0) continue;
      add(w2 + unit, slope * activation);
      const pull = slope * (weights[w2 + unit] ?? NaN);
      add(b1 + unit, pull);
      for (let input = 0; input < inputs; input += 1)
        add(input * hidden + unit, pull * (samples.x[sample * inputs + input] ?? NaN));
    }
  }
  return gradient;
}

/** How many samples each device has. */
export function windowsByDevice({ device }: Pick<Samples, 'device'>): ReadonlyMap<number, number> {
  const windows = new Map<number, number>();
  for (const one of device) windows.set(one, (windows.get(one) ?? 0) + 1);
  return windows;
}

/** The most that each part of one device's gradient can be, either way [P]: the slope is at most 1, and features lie within ±4. */
export function mostGradient(shape: NetworkShape, weights: FlatWeights): Float64Array {
  const { inputs, hidden } = shape;
  const { b1, w2, b2 } = weightOffsets(shape);
  const most = new Float64Array(parameterCount(shape));
  most[b2] = 1;
  for (let unit = 0; unit < hidden; unit += 1) {
    const passed = Math.abs(weights[w2 + unit] ?? NaN);
    let activation = weights[b1 + unit] ?? NaN;
    most[b1 + unit] = passed;
    for (let input = 0; input < inputs; input += 1) {
      const at = input * hidden + unit;
      activation += FEATURE_CLIP * Math.abs(weights[at] ?? NaN);
      most[at] = FEATURE_CLIP * passed;
    }
    most[w2 + unit] = Math.max(0, activation);
  }
  return most;
}
