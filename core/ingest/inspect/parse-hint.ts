import { positiveDurationTextSchema } from '../../contracts/settings';
import { pathSchema, TIME_UNITS } from '../../contracts/source';
import { z } from 'zod';
import { type AskedHint, type Hints } from './hints';

/** What each hint may be. */
export const HINT_SCHEMAS = {
  deviceId: pathSchema,
  timestamp: pathSchema,
  timeUnit: z.enum(TIME_UNITS),
  target: pathSchema,
  each: pathSchema,
  wide: z
    .string()
    .max(200)
    .regex(/^[^*]*\*[^*]*$/, 'a pattern has one *, such as temperature_*'),
  window: positiveDurationTextSchema,
  hold: positiveDurationTextSchema,
  duplicates: z.enum(['time', 'reading']),
} satisfies Record<AskedHint, z.ZodType>;

/** A hint as text; undefined for a text that is none. */
export function parseHint(name: AskedHint, text: string): Hints[AskedHint] | undefined {
  const parsed = HINT_SCHEMAS[name].safeParse(text);
  return parsed.success ? parsed.data : undefined;
}
