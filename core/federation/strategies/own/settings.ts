import { z } from 'zod';
import { parseOrThrow } from '../../../contracts/validation';
import { aboutSchema, type About } from './protocol';

/** What a module says of itself. @throws FedloopError `StrategyFailed` */
export function readAbout(name: string, said: unknown): About {
  return parseOrThrow(aboutSchema, said, `strategy ${name}: what the module exports`, 'StrategyFailed');
}

/** Settings with the module's defaults filled in. @throws FedloopError `InvalidInput` for unknown ones and those beyond their range */
export function readSettings(
  name: string,
  { settings }: About,
  given: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const fields: Record<string, z.ZodDefault<z.ZodNumber>> = {};
  for (const [setting, { default: standard, min = -Infinity, max = Infinity }] of Object.entries(settings))
    fields[setting] = z.number().min(min).max(max).default(standard);
  const schema = z.strictObject(fields);
  return parseOrThrow(schema, given, `strategySettings of ${name}`);
}
