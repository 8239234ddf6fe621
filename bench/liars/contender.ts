import { partsFor } from '../../core/contracts/rounds';
import { type StrategyName } from '../../core/contracts/strategies';
import { type Contender } from '../loop/contenders';

/** A strategy as rounds run it by default, the live gate with it. */
export function contenderOf(strategy: StrategyName): Contender {
  return {
    name: strategy,
    about: 'with default settings',
    strategy,
    strategySettings: {},
    parts: partsFor(strategy, {}),
    boundaryWidth: 'feedback',
    shuffled: false,
    liveGate: true,
    adapters: false,
    delay: 0,
  };
}
