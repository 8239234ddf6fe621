import { FedloopError } from '../../../contracts/errors';
import { nameSchema } from '../../../contracts/storable';
import { type FlatWeights } from '../../../model/types';
import { normalised } from '../../vectors';
import { MAX_VECTORS } from './limits';
import { type Returned } from './protocol';

/** A step whose every number was looked at. */
export interface CheckedStep {
  /** [P] */
  readonly delta: FlatWeights;
  /** One an update, adding up to 1. */
  readonly weights: Float64Array;
  readonly state: Readonly<Record<string, FlatWeights>>;
}

/**
 * What a strategy of one's own returned, as the round takes it.
 * @param name of the strategy
 * @throws FedloopError `StrategyFailed` with what is wrong
 */
export function checkStep(
  name: string,
  returned: Returned | null,
  { updates, parameters }: { readonly updates: number; readonly parameters: number },
): CheckedStep {
  const wrong = (what: string): never => {
    throw new FedloopError('StrategyFailed', `strategy ${name}: ${what}`);
  };
  if (returned === null)
    return wrong(
      'aggregate returned no object; it must return {delta, weights, state}, of which delta alone is needed',
    );
  const { delta, weights, state } = returned;
  const fault = faultOf(delta, parameters, 'parameter');
  if (fault !== undefined) return wrong(`the step’s delta ${fault}`);
  const shares = weights ?? Array<number>(updates).fill(1);
  const shareFault = faultOf(shares, updates, 'update') ?? negativeIn(shares);
  if (shareFault !== undefined) return wrong(`the step’s weights ${shareFault}`);
  const kept = entriesOf(state);
  if (kept === undefined) return wrong('the step’s state is no object of vectors by name');
  if (kept.length > MAX_VECTORS)
    return wrong(`the step’s state has ${kept.length} vectors; at most ${MAX_VECTORS} are kept`);
  for (const [vector, values] of kept) {
    if (!nameSchema.safeParse(vector).success)
      return wrong('the step’s state has a vector with too long a name');
    const vectorFault = faultOf(values, parameters, 'parameter');
    if (vectorFault !== undefined) return wrong(`the step’s state ${JSON.stringify(vector)} ${vectorFault}`);
  }
  return {
    delta: singles(delta),
    weights: normalised(Float64Array.from(numbersOf(shares))),
    state: Object.fromEntries(kept.map(([vector, values]) => [vector, singles(values)])),
  };
}

/** What is wrong with a vector; undefined: nothing. Numbers are kept in single precision, where one of 1e39 is infinite. */
function faultOf(value: unknown, length: number, each: string): string | undefined {
  if (!Array.isArray(value) && !(value instanceof Float32Array) && !(value instanceof Float64Array))
    return `is ${value === undefined ? 'missing' : 'no list of numbers'}`;
  if (value.length !== length)
    return `has ${value.length} numbers, not ${length}, one a${each === 'update' ? 'n' : ''} ${each}`;
  for (let at = 0; at < length; at += 1) {
    const number: unknown = value[at];
    if (typeof number !== 'number') return `has something else than a number at place ${at}`;
    if (!Number.isFinite(Math.fround(number)))
      return `has a number that is not finite at place ${at}: ${number}`;
  }
  return undefined;
}

function negativeIn(value: unknown): string | undefined {
  const at = numbersOf(value).findIndex((share) => share < 0);
  return at === -1 ? undefined : `has a negative number at place ${at}`;
}

function entriesOf(state: unknown): [string, unknown][] | undefined {
  if (state === undefined || state === null) return [];
  return typeof state === 'object' && !Array.isArray(state) && !ArrayBuffer.isView(state)
    ? Object.entries(state)
    : undefined;
}

function singles(value: unknown): FlatWeights {
  return Float32Array.from(numbersOf(value));
}

/** Of a vector in which `faultOf` found nothing wrong. */
function numbersOf(value: unknown): readonly number[] {
  const isVector = Array.isArray(value) || value instanceof Float32Array || value instanceof Float64Array;
  return isVector ? Array.from<unknown, number>(value, Number) : [];
}
