import { NO_CHANGES, type RoundChanges } from '../../core/backtest/changes';
import { type Samples } from '../../core/federation/training/samples';
import { times } from '../../core/federation/vectors';
import { type Random } from '../../core/platform/random';
import { type Contender } from './contenders';
import { type World } from './world';

/** The accuracy that an attacker claims of its own model. */
const ATTACKERS_CLAIM = 0.99;

/** What the scenario's attackers do to their updates, and what a shuffled contender sees of panels. */
export function changesBy(world: World, { shuffled }: Contender, random: Random): RoundChanges {
  const factors = new Map(world.devices.map(({ deviceId, updateFactor }) => [deviceId, updateFactor]));
  return {
    ...NO_CHANGES,
    updates: (updates) =>
      updates.map((update) => {
        const factor = factors.get(update.deviceId) ?? 1;
        if (factor === 1) return update;
        return { ...update, delta: times(update.delta, factor), selfReportedAccuracy: ATTACKERS_CLAIM };
      }),
    panel: (samples) => (shuffled ? dealt(samples, random) : samples),
  };
}

/** The samples with their actual values dealt to one another. */
function dealt(samples: Samples, random: Random): Samples {
  const order = Int32Array.from(samples.y, (_, at) => at);
  random.shuffle(order);
  return { ...samples, y: Float32Array.from(order, (at) => samples.y[at] ?? NaN) };
}
