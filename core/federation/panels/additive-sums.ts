import { FedloopError } from '../../contracts/errors';
import { type PanelSums } from '../../contracts/site-reports';
import { sumOfVectors } from '../vectors';
import { deviceInfluence, type WeightedResidual } from './device-influence';

/**
 * Sums from which a model that is linear in some terms is corrected. With h = [terms, 1], H = terms + 1, residual r and
 * robust weight v: `gram` = Σ v h hᵀ [H, H] row-major over all samples, and of each block of windows its `moment` = Σ v r h [H].
 * Sums of several sites add up, so readings stay where they are. Blocks of the same place are of the same windows on every site.
 */
export type RefitSums = Readonly<Pick<PanelSums, 'gram' | 'blocks'>>;

/**
 * A site's sums. No device pulls much harder than most do (device-influence.ts).
 * @param count of the terms
 * @param terms [samples, count]
 * @param blockOf place of each sample's block of windows, from 0 [samples]
 * @param influence by device; that of the residuals where these are what pulls
 */
export function weightedSums(
  count: number,
  terms: Float32Array,
  rows: readonly WeightedResidual[],
  blockOf: ArrayLike<number>,
  influence = deviceInfluence(count, terms, rows),
): RefitSums {
  const size = count + 1;
  const gram = new Float64Array(size * size);
  const blocks: { rows: number; moment: Float64Array }[] = [];
  const row = new Float64Array(size);
  row[count] = 1;
  rows.forEach(({ residual, weight, device }, sample) => {
    const place = blockOf[sample] ?? 0;
    while (blocks.length <= place) blocks.push({ rows: 0, moment: new Float64Array(size) });
    const block = blocks[place];
    if (block === undefined) return;
    block.rows += 1;
    const { moment } = block;
    const share = weight * (influence.get(device) ?? 1);
    for (let term = 0; term < count; term += 1) row[term] = terms[sample * count + term] ?? NaN;
    for (let i = 0; i < size; i += 1) {
      const scaled = share * (row[i] ?? NaN);
      if (scaled === 0) continue;
      moment[i] = (moment[i] ?? NaN) + scaled * residual;
      // The matrix is symmetric: the upper half is enough here.
      for (let j = i; j < size; j += 1)
        gram[i * size + j] = (gram[i * size + j] ?? NaN) + scaled * (row[j] ?? NaN);
    }
  });
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < i; j += 1) gram[i * size + j] = gram[j * size + i] ?? NaN;
  return { gram: [...gram], blocks: blocks.map((block) => ({ ...block, moment: [...block.moment] })) };
}

/** Rows of all blocks. */
export function rowsOf({ blocks }: Pick<RefitSums, 'blocks'>): number {
  return blocks.reduce((sum, { rows }) => sum + rows, 0);
}

/** Sums of several sites as one. @throws FedloopError `InvalidInput` when they come from networks of different sizes. */
export function addRefitSums(parts: readonly RefitSums[]): RefitSums {
  const [first] = parts;
  if (first === undefined) throw new FedloopError('InvalidInput', 'refit: no site sent sums');
  if (parts.some(({ gram }) => gram.length !== first.gram.length))
    throw new FedloopError('InvalidInput', 'refit: sums of networks of different sizes');
  const places = Math.max(...parts.map(({ blocks }) => blocks.length));
  return {
    gram: sumOfVectors(parts.map(({ gram }) => gram)),
    blocks: Array.from({ length: places }, (_, place) => {
      const own = parts.flatMap(({ blocks }) => blocks[place] ?? []);
      return {
        rows: rowsOf({ blocks: own }),
        moment: sumOfVectors(own.map(({ moment }) => moment)),
      };
    }),
  };
}
