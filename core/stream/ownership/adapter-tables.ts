import { z } from 'zod';
import { adapterRuleSchema } from '../../contracts/checkpoints';
import { SUMS } from '../adapters/device-ridge';
import { savedAdaptersSchema, type VersionAdapters } from '../adapters/version-adapters';
import { type AdaptedForecasts } from '../forecasts/adapted-forecasts';
import { type OutstandingForecasts } from '../forecasts/forecasts';
import { type ActiveVersion } from '../forecasts/versions';

/** A version's adapters in the header of a checkpoint; their devices' sums follow behind all other tables, as single-precision numbers. */
export const adaptersSchema = savedAdaptersSchema.extend({ rule: adapterRuleSchema });
type SavedVersionAdapters = z.infer<typeof adaptersSchema>;

/** By version of the outstanding forecasts: the share of the corrections that is served; null for a version without adapters. */
export const sharesSchema = z.array(z.number().nullable());

export function savedAdapters({ adapters }: ActiveVersion): SavedVersionAdapters | undefined {
  return adapters && { rule: 'ridge', ...adapters.save() };
}

/** The sums of all devices, version by version. */
export function adapterSums(versions: readonly ActiveVersion[], devices: readonly number[]): Float32Array[] {
  return versions.flatMap(({ adapters }) => adapters?.ridge.sums.save(devices) ?? []);
}

export function restoreAdapters(
  versions: readonly ActiveVersion[],
  saved: readonly (SavedVersionAdapters | undefined)[],
  devices: readonly number[],
  sums: Float32Array,
): void {
  let at = 0;
  const restore = (adapters: VersionAdapters, state: SavedVersionAdapters): void => {
    adapters.restore(state);
    adapters.ridge.sums.restore(devices, sums.subarray(at, (at += devices.length * SUMS)));
  };
  versions.forEach(({ adapters }, place) => {
    const state = saved[place];
    if (adapters !== undefined && state !== undefined) restore(adapters, state);
  });
}

/** Single-precision numbers of a checkpoint with so many devices. */
export function sumsCount(saved: readonly unknown[], devices: number): number {
  return saved.filter((adapters) => adapters !== undefined).length * devices * SUMS;
}

/** undefined where no version has adapters: such forecasts have no tables of them. */
export function sharesOf({
  changes,
  versions,
}: OutstandingForecasts): z.infer<typeof sharesSchema> | undefined {
  return changes && versions.map(({ adapted }) => adapted?.share ?? null);
}

/** The latest changes, then the corrections, version by version. */
export function adaptedTables({ changes, versions }: OutstandingForecasts): Float64Array[] {
  return changes === undefined
    ? []
    : [changes.last, changes.before, ...versions.flatMap(({ adapted }) => adapted?.corrections ?? [])];
}

/** Tables of `adaptedTables`, each with a number for each device that is forecast. */
export function adaptedTableCount(shares: z.infer<typeof sharesSchema> | undefined): number {
  return shares === undefined ? 0 : 2 + shares.filter((share) => share !== null).length;
}

/** The outstanding forecasts with what `adaptedTables` wrote of them. */
export function withAdapted(
  forecasts: OutstandingForecasts,
  shares: z.infer<typeof sharesSchema> | undefined,
  read: (length: number) => Float64Array,
): OutstandingForecasts {
  if (shares === undefined) return forecasts;
  const count = forecasts.devices.length;
  const changes = { last: read(count), before: read(count) };
  const versions = forecasts.versions.map((outlook, place) => {
    const share = shares[place] ?? null;
    const adapted: AdaptedForecasts | undefined =
      share === null ? undefined : { corrections: read(count), share };
    return { ...outlook, adapted };
  });
  return { ...forecasts, changes, versions };
}
