import { closest } from 'fastest-levenshtein';
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
            return `unknown field "${name}"${known.length === 0 ? '' : ` (did you mean "${closest(key, known)}"?)`}`;
          })
          .join('; ');
      }
      return field === '' ? issue.message : `${field}: ${issue.message}`;
    })
    .join('; ');
}

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
