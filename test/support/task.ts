import { DEFAULT_TASK, featureCount, historyWindows, type Task } from '../../core/contracts/task';
import { versionIdSchema } from '../../core/contracts/ids';
import { initialWeights } from '../../core/model/network';
import { networkShape, type GlobalModel } from '../../core/model/types';

/** The default task in numbers: what most tests are about. */
export const SHAPE = networkShape(DEFAULT_TASK);
export const FEATURES = featureCount(DEFAULT_TASK);
export const HISTORY_WINDOWS = historyWindows(DEFAULT_TASK);

/** The default task with other windows, or another tolerance. */
export function taskWith({
  windowMicros = DEFAULT_TASK.windowMicros,
  tolerance = DEFAULT_TASK.target.tolerance,
}: {
  readonly windowMicros?: number;
  readonly tolerance?: number;
}): Task {
  return { ...DEFAULT_TASK, windowMicros, target: { ...DEFAULT_TASK.target, tolerance } };
}

/** A network with weights from the seed under this name; what it forecasts is nonsense, and always the same. */
export function untrainedModel(
  name: string,
  { seed = 0, inputs = FEATURES }: { readonly seed?: number; readonly inputs?: number } = {},
): GlobalModel {
  const shape = { ...SHAPE, inputs };
  return {
    metadata: {
      version: versionIdSchema.parse(name),
      shape,
      scaling: { mean: Array<number>(inputs).fill(0), scale: Array<number>(inputs).fill(1) },
      tolerance: 1,
      residualStddev: seed % 2 === 0 ? null : 0.7,
    },
    weights: initialWeights(shape, seed),
  };
}
