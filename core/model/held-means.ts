import { heldWindows, type Task } from '../contracts/task';
import { type DeviceSeries } from './types';

/**
 * Fill windows without readings by the last mean before them, sensor by sensor, for as long as the sensor's hold says: in place. The stream
 * and the trainers both do this to the means of analysis rows, so a model learns from the features that it gets. What was filled is no
 * actual value.
 */
export function fillHeldMeans(task: Task, { target, covariates }: DeviceSeries): void {
  const held = heldWindows(task);
  [target, ...covariates].forEach((means, sensor) => {
    fill(means, held[sensor] ?? 0);
  });
}

function fill(means: Float64Array, most: number): void {
  if (most === 0) return;
  let last = -Infinity;
  for (let window = 0; window < means.length; window += 1) {
    if (!Number.isNaN(means[window])) last = window;
    else if (window - last <= most) means[window] = means[last] ?? NaN;
  }
}
