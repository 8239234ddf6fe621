import { newcomers } from '../../../bench/loop/newcomers';
import { roundWorld } from '../../../bench/loop/round-world';
import { fleetOf } from '../../../bench/loop/scenarios';
import { WINDOWS_BEFORE_TARGETS } from '../../../bench/loop/task';
import { World } from '../../../bench/loop/world';
import { loadRecording } from '../../../fleet/series';

const about = { seed: 3, devices: 20, tolerance: 1, changeWindow: 6 };
let world: World;
beforeAll(async () => {
  const { recording } = await loadRecording({ directory: 'data/weather', labelColumn: undefined });
  world = new World(recording, {
    ...fleetOf('joining', about),
    ...about,
    clock: 'independent',
    trainingWindows: 48,
    liveWindows: 48,
  });
});
const placesWith = (until: number, windows: number): ReadonlySet<number> =>
  new Set(world.samples(until, windows).device);

describe('devices that join late', () => {
  it('are a fifth of the fleet, the same ones whenever the seed is', () => {
    expect(newcomers(3, 20).size).toBe(4);
    expect(newcomers(3, 20)).toEqual(newcomers(3, 20));
    expect(newcomers(4, 20)).not.toEqual(newcomers(3, 20));
  });

  it('are no devices of a round before they have sent something', () => {
    expect(world.devicesAt(5)).toHaveLength(16);
    expect(world.devicesAt(6)).toHaveLength(20);
    expect(roundWorld(world, 5, 0).devices).toHaveLength(16);
  });

  it('are forecast once their lags are of windows in which they sent', () => {
    const joined = [...newcomers(3, 20)];
    const before = placesWith(about.changeWindow + WINDOWS_BEFORE_TARGETS - 1, 48);
    expect(joined.filter((place) => before.has(place))).toEqual([]);
    expect(placesWith(about.changeWindow + WINDOWS_BEFORE_TARGETS, 1).size).toBe(20);
  });
});

it('stale panels see the windows of long ago, and training the newest', () => {
  const ids = world.devicesAt(0).map(({ deviceId }) => deviceId);
  const stale = roundWorld(world, 40, 12);
  expect(stale.samples(40, 6, ids)).toEqual(world.samples(28, 6, ids));
  expect(stale.trainingRows(ids, 40)).toEqual(world.trainingRows(ids, 40));
});
