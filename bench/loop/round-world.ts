import { type RoundWorld } from '../../core/backtest/world';
import { type World } from './world';

/**
 * What a round sees of a world whose newest closed window is `until`.
 * @param delay windows by which panels and sums are behind; training is not
 */
export function roundWorld(world: World, until: number, delay: number): RoundWorld {
  return {
    devices: world.devicesAt(until),
    siteOf: (deviceId) => world.siteOf(deviceId),
    trainingRows: (deviceIds, last) => world.trainingRows(deviceIds, last),
    samples: (last, windows, deviceIds) => world.samples(last - delay, windows, deviceIds),
  };
}
