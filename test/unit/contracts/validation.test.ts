import { z } from 'zod';
import { parseOrThrow } from '../../../core/contracts/validation';

const listSchema = z.strictObject({ ends: z.array(z.number()) });

describe('a value that breaks its schema', () => {
  it('has each of its faults named', () => {
    expect(() => parseOrThrow(listSchema, { ends: [1, 'two'], edns: 1 }, 'the list')).toThrow(
      'the list is not valid: ends.1: must be a number, and not a text; unknown field "edns" (did you mean "ends"?)',
    );
  });

  it('of several forms has the nearest field of any of them named', () => {
    const formsSchema = z.discriminatedUnion('action', [
      z.strictObject({ action: z.literal('promote'), version: z.string().optional() }),
      z.strictObject({ action: z.literal('rollback'), reason: z.string().optional() }),
    ]);
    expect(() => parseOrThrow(formsSchema, { action: 'rollback', raeson: 'x' }, 'the change')).toThrow(
      'the change is not valid: unknown field "raeson" (did you mean "reason"?)',
    );
  });

  it('in very many places has the first of them named, and the rest counted', () => {
    const ends = Array.from({ length: 1_000 }, () => 'x');
    expect(() => parseOrThrow(listSchema, { ends }, 'the list')).toThrow(
      /^the list is not valid: ends\.0: .*; ends\.19: must be a number, and not a text; and 980 more$/,
    );
    const fields = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`field${n}`, n]));
    expect(() => parseOrThrow(listSchema, { ends: [], ...fields }, 'the list')).toThrow(
      /unknown field "field19" \(there are ends\); and 980 more$/,
    );
  });
});
