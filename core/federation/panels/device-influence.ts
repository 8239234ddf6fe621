import { CLIP_TO_MEDIAN, LEVERAGE_TO_MEDIAN } from '../constants';
import { median } from '../vectors';

/** One sample of a refit: clipped residual, its robust weight, and the device it is of. */
export interface WeightedResidual {
  readonly residual: number;
  readonly weight: number;
  readonly device: number;
}

/**
 * The share, above 0 and at most 1, with which each device's samples count in a refit. A device's pull is its moment Σ v r h, its leverage
 * Σ v hᵀh. Residuals of an honest device change their signs, so that its pull stays short; readings that were made up to bend the fleet's
 * model all pull one way. As updates are, pulls are clipped to 1.5 × the median length; and activations of made-up readings
 * must not outweigh all others in the matrix.
 * @param activations hidden layer after ReLU, or other terms [samples, hidden]
 */
export function deviceInfluence(
  hidden: number,
  activations: Float32Array,
  samples: readonly WeightedResidual[],
): ReadonlyMap<number, number> {
  const devices = new Map<number, { readonly moment: Float64Array; leverage: number }>();
  samples.forEach(({ residual, weight, device }, sample) => {
    const own = devices.get(device) ?? { moment: new Float64Array(hidden + 1), leverage: 0 };
    devices.set(device, own);
    for (let unit = 0; unit <= hidden; unit += 1) {
      const value = unit === hidden ? 1 : (activations[sample * hidden + unit] ?? NaN);
      own.moment[unit] = (own.moment[unit] ?? NaN) + weight * residual * value;
      own.leverage += weight * value * value;
    }
  });
  const sizes = new Map(
    [...devices].map(([device, { moment, leverage }]) => [device, { pull: Math.hypot(...moment), leverage }]),
  );
  const longest = CLIP_TO_MEDIAN * median([...sizes.values()].map(({ pull }) => pull));
  const heaviest = LEVERAGE_TO_MEDIAN * median([...sizes.values()].map(({ leverage }) => leverage));
  return new Map(
    [...sizes].map(([device, { pull, leverage }]) => [
      device,
      Math.min(1, pull > longest ? longest / pull : 1, leverage > heaviest ? heaviest / leverage : 1),
    ]),
  );
}
