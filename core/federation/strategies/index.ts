import {
  isOwnStrategy,
  strategyNameSchema,
  type RoundStrategy,
  type StrategyName,
} from '../../contracts/strategies';
import { parseOrThrow } from '../../contracts/validation';
import { bulyan } from './bulyan';
import { closedLoop } from './closed-loop';
import { fedAdagrad } from './fedadagrad';
import { fedAdam } from './fedadam';
import { fedAvg } from './fedavg';
import { fedAvgM } from './fedavgm';
import { fedNova } from './fednova';
import { fedProx } from './fedprox';
import { fedYogi } from './fedyogi';
import { flTrust } from './fltrust';
import { geometricMedian } from './geometric-median';
import { median } from './median';
import { multiKrum } from './multi-krum';
import { openLoop } from './open-loop';
import { qFfl } from './q-ffl';
import { scaffold } from './scaffold';
import { type Strategy, type StrategySettings } from './strategy';
import { trimmedMean } from './trimmed-mean';

/** The code of every strategy that core/contracts/strategies.ts names. */
const IMPLEMENTATIONS: { readonly [Name in StrategyName]: Strategy<Name> } = {
  'closed-loop': closedLoop,
  'open-loop': openLoop,
  fedavg: fedAvg,
  fedavgm: fedAvgM,
  fedprox: fedProx,
  fedadam: fedAdam,
  fedyogi: fedYogi,
  fedadagrad: fedAdagrad,
  fednova: fedNova,
  scaffold,
  'q-ffl': qFfl,
  median,
  'trimmed-mean': trimmedMean,
  'multi-krum': multiKrum,
  bulyan,
  'geometric-median': geometricMedian,
  fltrust: flTrust,
};

/** @throws FedloopError `InvalidInput` for a name that is none, listing those there are. */
export function strategyByName(name: string): Strategy {
  return IMPLEMENTATIONS[parseOrThrow(strategyNameSchema, name, 'strategy')];
}

/**
 * The pull of local training to the incoming weights that a round's strategy asks for. One of somebody's own asks for none: sites have no
 * modules.
 * @throws FedloopError `InvalidInput` for settings that the strategy does not take
 */
export function proximalOf(name: RoundStrategy, settings: StrategySettings): number {
  return isOwnStrategy(name) ? 0 : IMPLEMENTATIONS[name].proximal(settings);
}

/** All of them, the default first. */
export function listStrategies(): readonly Strategy[] {
  return Object.values(IMPLEMENTATIONS);
}
