import { type z } from 'zod';
import { serverStateSchema } from '../../contracts/server-state';
import { type RoundStrategy } from '../../contracts/strategies';
import { parseJson, parseOrThrow } from '../../contracts/validation';
import { EVIDENCE_ROUNDS } from '../constants';

/** A longer list of evidence is read too: else it would end all later rounds. */
const stateSchema = serverStateSchema.transform((state) => ({
  ...state,
  evidence: state.evidence.slice(-EVIDENCE_ROUNDS),
}));
export type ServerState = Readonly<z.output<typeof serverStateSchema>>;

/**
 * The state for a round with `strategy`, without vectors of another strategy or of another length than the model has parameters; evidence and
 * privacy spent stay.
 */
export function stateFor(
  strategy: RoundStrategy,
  state: ServerState | null,
  parameters: number,
): ServerState {
  if (state === null) return { strategy, steps: 0, vectors: {}, evidence: [], privacySpent: 0 };
  const fits = Object.values(state.vectors).every(({ length }) => length === parameters);
  return state.strategy === strategy && fits ? state : { ...withoutMomentum(state), strategy };
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
  const stored: z.input<typeof serverStateSchema> = { ...state, evidence: [...state.evidence], vectors };
  return JSON.stringify(stored);
}

/** @throws FedloopError `InvalidModel` for text that `encodeState` did not write. */
export function decodeState(text: string): ServerState {
  return parseOrThrow(stateSchema, parseJson(text), 'the server state', 'InvalidModel');
}
