import { z } from 'zod';
import { roundStrategySchema } from './strategies';
import { nameSchema } from './storable';
import { jsonText } from './validation';

/** Base64 of little-endian single precision, so that vectors come back bit by bit. */
const vectorSchema = z
  .string()
  .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'must be base64')
  .transform((base64): Float32Array => {
    const bytes = Buffer.from(base64, 'base64');
    return Float32Array.from({ length: bytes.length >> 2 }, (_, at) => bytes.readFloatLE(at * 4));
  })
  .refine((vector) => vector.every(Number.isFinite), 'must be finite numbers');

/** The server's memory from round to round, and over restarts: a value, never changed in place. */
export const serverStateSchema = z.strictObject({
  /** The strategy that the vectors belong to. */
  strategy: roundStrategySchema,
  /** Server steps taken with them. */
  steps: z.int().min(0),
  /** Momentum and the like, each [P], by name. */
  vectors: z.record(nameSchema, vectorSchema),
  /** Responsive − steady on live windows, of the last rounds, oldest first. */
  evidence: z.array(z.number()).readonly(),
  /** Σ 1/z² that rounds under earlier releases spent, which did not book it (privacy.ts). */
  privacySpent: z.number().min(0),
});

const stateTextSchema = jsonText(serverStateSchema);

/**
 * The state as text, as `model-deployments` has it. What is none is refused with its message: the one before it stays in force, and no round
 * ends because of it.
 */
export const serverStateTextSchema = z
  .string()
  .refine((text) => stateTextSchema.safeParse(text).success, 'must be a server state');
