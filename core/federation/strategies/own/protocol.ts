import { z } from 'zod';
import { type Context, type Update } from './define-strategy';
import { MAX_SAID, MAX_SETTINGS } from './limits';

/** What the process of a strategy and the process that asks it say to each other, as structured clones. */

/** `updates` come in pieces; `aggregate` asks for the step of all that came since the last one. */
export type Order =
  | { readonly type: 'updates'; readonly updates: readonly Update[] }
  | {
      readonly type: 'aggregate';
      readonly context: Context;
      readonly settings: Readonly<Record<string, number>>;
      /** Say whether it changed what it was given; costs time. */
      readonly watch: boolean;
    };

const saidSchema = z.string().transform((text) => text.slice(0, MAX_SAID));

const settingSchema = z
  .object({
    default: z.number(),
    min: z.number().optional(),
    max: z.number().optional(),
    description: saidSchema.optional(),
  })
  .refine(
    ({ default: standard, min = standard, max = standard }) => standard >= min && standard <= max,
    'its default lies outside of min and max',
  );

export const aboutSchema = z.object({
  summary: saidSchema.nullable(),
  settings: z
    .record(z.string(), settingSchema, 'settings must be an object of {default, min, max, description}')
    .refine((settings) => Object.keys(settings).length <= MAX_SETTINGS, `at most ${MAX_SETTINGS}`),
});
/** What a module says of itself. */
export type About = Readonly<z.infer<typeof aboutSchema>>;

/** What a step returned, not checked. */
const returnedSchema = z.object({ delta: z.unknown(), weights: z.unknown(), state: z.unknown() });
export type Returned = Readonly<z.infer<typeof returnedSchema>>;

const answerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('loaded'), about: z.unknown(), sha256: z.string() }),
  z.object({
    type: z.literal('step'),
    /** Null: it returned no object. */
    returned: returnedSchema.nullable(),
    /** Whether it changed what it was given; false where that was not watched. */
    changedInput: z.boolean(),
  }),
  z.object({
    type: z.literal('failed'),
    message: saidSchema,
    /** `mine.js:12`; null where it is unknown. */
    at: saidSchema.nullable(),
    /** Whether it is the error of a slip, such as TypeError. */
    isSlip: z.boolean(),
  }),
]);
export type Answer = z.infer<typeof answerSchema>;

export function readAnswer(message: unknown): Answer | undefined {
  const read = answerSchema.safeParse(message);
  return read.success ? read.data : undefined;
}
