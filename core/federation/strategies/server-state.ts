import { z } from 'zod';
import { strategyNameSchema, type StrategyName } from '../../contracts/strategies';
import { parseJson, parseOrThrow } from '../../contracts/validation';
import { type FlatWeights } from '../../model/types';
import { EVIDENCE_ROUNDS } from '../constants';

/** Base64 of little-endian single precision, so that vectors come back bit by bit. */
const vectorSchema = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64')
  .transform((base64): FlatWeights => {
    const bytes = Buffer.from(base64, 'base64');
    return Float32Array.from({ length: bytes.length >> 2 }, (_, at) => bytes.readFloatLE(at * 4));
  });

/** The server's memory from round to round, and over restarts: a value, never changed in place. */
const stateSchema = z.strictObject({
  /** The strategy that the vectors belong to. */
  strategy: strategyNameSchema,
  /** Server steps taken with them. */
  steps: z.int().min(0),
  /** Momentum and the like, each [P], by name. */
  vectors: z.record(z.string(), vectorSchema),
  /** Responsive − steady on live windows, of the last rounds, oldest first. A longer list is read too: else it would end all later rounds. */
  evidence: z.array(z.number()).transform((rounds): readonly number[] => rounds.slice(-EVIDENCE_ROUNDS)),
  /** Σ 1/z² over the rounds that added noise: see `epsilonSpent`. */
  privacySpent: z.number().min(0),
});
export type ServerState = Readonly<z.infer<typeof stateSchema>>;

/** The state for a round with `strategy`, without the vectors of another strategy; evidence and privacy spent stay. */
export function stateFor(strategy: StrategyName, state: ServerState | null): ServerState {
  if (state === null) return { strategy, steps: 0, vectors: {}, evidence: [], privacySpent: 0 };
  return state.strategy === strategy ? state : { ...withoutMomentum(state), strategy };
}

/** After a rejected round: the momentum pointed to a worse model, so the next round starts without. */
export function withoutMomentum(state: ServerState): ServerState {
  return { ...state, steps: 0, vectors: {} };
}

/** As JSON text. */
export function encodeState(state: ServerState): string {
  const vectors = Object.fromEntries(
    Object.entries(state.vectors).map(([name, vector]) => {
      const bytes = Buffer.alloc(vector.length * 4);
      vector.forEach((value, at) => bytes.writeFloatLE(value, at * 4));
      return [name, bytes.toString('base64')];
    }),
  );
  const stored: z.input<typeof stateSchema> = { ...state, evidence: [...state.evidence], vectors };
  return JSON.stringify(stored);
}

/** @throws FedloopError `InvalidModel` for text that `encodeState` did not write. */
export function decodeState(text: string): ServerState {
  return parseOrThrow(stateSchema, parseJson(text), 'the server state', 'InvalidModel');
}
