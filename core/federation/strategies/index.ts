import { strategyNameSchema, type StrategyName } from '../../contracts/rounds';
import { parseOrThrow } from '../../contracts/validation';
import { ClosedLoop } from './closed-loop';
import { FedAdagrad } from './fedadagrad';
import { FedAdam } from './fedadam';
import { FedAvg } from './fedavg';
import { FedProx } from './fedprox';
import { FedYogi } from './fedyogi';
import { MedianStrategy } from './median';
import { MultiKrum } from './multi-krum';
import { OpenLoop } from './open-loop';
import { QFfl } from './q-ffl';
import { type Strategy } from './strategy';
import { TrimmedMean } from './trimmed-mean';

const STRATEGIES: Readonly<Record<StrategyName, Strategy>> = {
  'closed-loop': new ClosedLoop(),
  'open-loop': new OpenLoop(),
  fedavg: new FedAvg(),
  fedprox: new FedProx(),
  fedadam: new FedAdam(),
  fedyogi: new FedYogi(),
  fedadagrad: new FedAdagrad(),
  'q-ffl': new QFfl(),
  median: new MedianStrategy(),
  'trimmed-mean': new TrimmedMean(),
  'multi-krum': new MultiKrum(),
};

/** @throws FedloopError `InvalidInput` for a name that is none, listing those there are. */
export function strategyByName(name: string): Strategy {
  return STRATEGIES[parseOrThrow(strategyNameSchema, name, 'strategy')];
}

/** All of them, the default first. */
export function listStrategies(): readonly Strategy[] {
  return Object.values(STRATEGIES);
}

/**
 * A strategy's settings with its defaults filled in.
 * @throws FedloopError `InvalidInput` for a name it doesn't know (with the nearest it does) or a value out of range.
 */
export function settingsFor(
  strategy: Strategy,
  given: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  return parseOrThrow(strategy.settings, given, `strategySettings of ${strategy.name}`);
}
