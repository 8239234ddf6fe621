import { seededRandom } from '../../core/platform/random';

/** The share of devices that join late. */
export const NEWCOMERS_SHARE = 0.2;

/** Places of the devices that join late. */
export function newcomers(seed: number, devices: number): ReadonlySet<number> {
  return drawnPlaces(seed, 'newcomers', devices, NEWCOMERS_SHARE);
}

/** Places of a share of the devices, the same ones whenever seed and purpose are. */
export function drawnPlaces(
  seed: number,
  purpose: string,
  devices: number,
  share: number,
): ReadonlySet<number> {
  const places = Array.from({ length: devices }, (_, place) => place);
  seededRandom(seed, purpose).shuffle(places);
  return new Set(places.slice(0, Math.round(share * devices)));
}
