import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { FedloopError, type ErrorCode } from './errors';

/** One sentence for all that is wrong with a value, each issue with its field, unknown fields with the nearest known one. */
export function describeIssues(error: z.ZodError, schema: z.ZodType): string {
  return error.issues
    .map((issue) => {
      const field = issue.path.map(String).join('.');
      if (issue.code === 'unrecognized_keys') {
        const known = fieldsAt(schema, issue.path);
        return issue.keys
          .map((key) => {
            const name = field === '' ? key : `${field}.${key}`;
            return `unknown field "${name}"${known.length === 0 ? '' : ` (${suggestion(key, known)})`}`;
          })
          .join('; ');
      }
      return field === '' ? issue.message : `${field}: ${issue.message}`;
    })
    .join('; ');
}

/** The field that was meant, where one is spelt alike, else all there are. */
function suggestion(key: string, known: readonly string[]): string {
  const nearest = closest(key, known);
  const slips = distance(key, nearest) / Math.max(key.length, nearest.length);
  const alike = slips <= MAX_SLIPS || nearest.startsWith(key);
  return alike ? `did you mean "${nearest}"?` : `there are ${known.join(', ')}`;
}

/** Share of a name's letters that may be wrong in a slip: with more of them it is another word. */
const MAX_SLIPS = 0.5;

/**
 * Parse a value at a boundary.
 * @throws FedloopError with `code`, naming every field that is wrong.
 */
export function parseOrThrow<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  what: string,
  code: ErrorCode = 'InvalidInput',
): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new FedloopError(code, `${what} is not valid: ${describeIssues(result.error, schema)}`);
}

/** JSON of a record or text, or undefined for what is none: the schema behind it then refuses it like any other wrong value. */
export function parseJson(value: Buffer | string | null): unknown {
  try {
    return JSON.parse(value?.toString('utf8') ?? '');
  } catch {
    return undefined;
  }
}

/** Text that holds JSON of a schema, such as a cell of a table. */
export function jsonText<Schema extends z.ZodType>(schema: Schema): z.ZodPipe<typeof anyJsonText, Schema> {
  return anyJsonText.pipe(schema);
}

const anyJsonText = z.string().transform((text, context) => {
  const value = parseJson(text);
  if (value === undefined) context.addIssue({ code: 'custom', message: 'must be JSON' });
  return value;
});

/** Names of the fields that the object at `path` inside the schema knows; none where it is not an object. */
function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const inner = unwrap(schema);
  if (!(inner instanceof z.ZodObject)) return [];
  const [first, ...rest] = path;
  if (first === undefined) return Object.keys(inner.shape);
  const next: unknown = inner.shape[String(first)];
  return next instanceof z.ZodType ? fieldsAt(next, rest) : [];
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional
    ? unwrap(schema.unwrap())
    : schema;
}
