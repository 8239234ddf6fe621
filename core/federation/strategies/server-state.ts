import { z } from 'zod';
import { strategyNameSchema, type StrategyName } from '../../contracts/strategies';
import { parseOrThrow } from '../../contracts/validation';
import { type FlatWeights } from '../../model/types';
import { EVIDENCE_ROUNDS } from '../constants';

/** The server's memory from round to round, and over restarts: a value, never changed in place. */
export interface ServerState {
  /** The strategy that the vectors belong to. */
  readonly strategy: StrategyName;
  /** Server steps taken with them. */
  readonly steps: number;
  /** Momentum and the like, each [P], by name. */
  readonly vectors: Readonly<Record<string, FlatWeights>>;
  /** Responsive − steady on live windows, of the last rounds, oldest first. */
  readonly evidence: readonly number[];
  /** Σ 1/z² over the rounds that added noise: see `epsilonSpent`. */
  readonly privacySpent: number;
}

export function emptyState(strategy: StrategyName): ServerState {
  return { strategy, steps: 0, vectors: {}, evidence: [], privacySpent: 0 };
}

/** The state for a round with `strategy`, without the vectors of another strategy; evidence and privacy spent stay. */
export function stateFor(strategy: StrategyName, state: ServerState | null): ServerState {
  if (state === null) return emptyState(strategy);
  return state.strategy === strategy ? state : { ...state, strategy, steps: 0, vectors: {} };
}

/** After a rejected round: the momentum pointed to a worse model, so the next round starts without. */
export function withoutMomentum(state: ServerState): ServerState {
  return { ...state, steps: 0, vectors: {} };
}

const vectorSchema = z.string().regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64');
const storedSchema = z.strictObject({
  strategy: strategyNameSchema,
  steps: z.int().min(0),
  vectors: z.record(z.string(), vectorSchema),
  /** A longer list is read too: a state that cannot be read would end all later rounds. */
  evidence: z.array(z.number()).transform((rounds) => rounds.slice(-EVIDENCE_ROUNDS)),
  privacySpent: z.number().min(0),
});

/** As JSON text; vectors as base64 of little-endian single precision, so that they come back bit by bit. */
export function encodeState(state: ServerState): string {
  const vectors = Object.fromEntries(
    Object.entries(state.vectors).map(([name, vector]) => {
      const bytes = Buffer.alloc(vector.length * 4);
      vector.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
      return [name, bytes.toString('base64')];
    }),
  );
  return JSON.stringify({ ...state, evidence: [...state.evidence], vectors } satisfies z.input<
    typeof storedSchema
  >);
}

/** @throws FedloopError `InvalidModel` for text that `encodeState` did not write. */
export function decodeState(text: string): ServerState {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const stored = parseOrThrow(storedSchema, value, 'the server state', 'InvalidModel');
  const vectors = Object.fromEntries(
    Object.entries(stored.vectors).map(([name, base64]) => {
      const bytes = Buffer.from(base64, 'base64');
      return [name, Float32Array.from({ length: bytes.length >> 2 }, (_, at) => bytes.readFloatLE(at * 4))];
    }),
  );
  return { ...stored, vectors };
}
