import { weightOffsets } from '../../core/model/network';
import { type GlobalModel } from '../../core/model/types';

/** Relative distance of two networks of one shape, ‖w − v‖ / ‖v‖, over all weights and by layer. */
export interface WeightDistance {
  readonly all: number;
  readonly hiddenLayer: number;
  readonly outputLayer: number;
}

/** @returns null for networks of different shapes. */
export function weightDistance(one: GlobalModel, other: GlobalModel): WeightDistance | null {
  const { shape } = one.metadata;
  if (shape.inputs !== other.metadata.shape.inputs || shape.hidden !== other.metadata.shape.hidden)
    return null;
  const { w2 } = weightOffsets(shape);
  const between = (from: number, to: number): number => {
    let squares = 0;
    let norm = 0;
    for (let at = from; at < to; at += 1) {
      const difference = (one.weights[at] ?? 0) - (other.weights[at] ?? 0);
      squares += difference * difference;
      norm += (other.weights[at] ?? 0) ** 2;
    }
    return norm === 0 ? 0 : Math.sqrt(squares / norm);
  };
  return {
    all: between(0, one.weights.length),
    hiddenLayer: between(0, w2),
    outputLayer: between(w2, one.weights.length),
  };
}
