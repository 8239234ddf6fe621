import { closest, distance } from 'fastest-levenshtein';
import { z } from 'zod';
import { FedloopError, type ErrorCode } from './errors';

/** A person mends these first; a hostile list has hundreds of thousands. */
const MAX_NAMED = 20;

/**
 * One sentence for all that is wrong with a value, each issue with its field, unknown fields with the nearest known one; of very many the
 * first ones, and how many more there are.
 */
export function describeIssues(error: z.ZodError, schema: z.ZodType): string {
  const sentences = error.issues
    .slice(0, MAX_NAMED)
    .flatMap(chosenIssues)
    .map((issue) => {
      const field = issue.path.map(String).join('.');
      if (issue.code === 'unrecognized_keys') {
        const known = fieldsAt(schema, issue.path);
        const unknown = issue.keys.slice(0, MAX_NAMED).map((key) => {
          const name = field === '' ? key : `${field}.${key}`;
          return `unknown field "${name}"${known.length === 0 ? '' : ` (${suggestion(key, known)})`}`;
        });
        return [...unknown, ...howManyMore(issue.keys)].join('; ');
      }
      return field === '' ? wordsOf(issue) : `${field}: ${wordsOf(issue)}`;
    });
  return [...new Set(sentences), ...howManyMore(error.issues)].join('; ');
}

function howManyMore(all: readonly unknown[]): readonly string[] {
  const more = all.length - MAX_NAMED;
  return more > 0 ? [`and ${more} more`] : [];
}

/**
 * Of a value with several forms, the faults of the one form that was meant: the form whose kind of value it is. The issue itself where
 * there is no such form, or more than one.
 */
function chosenIssues(issue: z.core.$ZodIssue): readonly z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const [meant, ...others] = issue.errors.filter((issues) => !issues.some(isWrongKind));
  if (meant === undefined || others.length > 0) return [issue];
  return meant.flatMap((inner) => chosenIssues({ ...inner, path: [...issue.path, ...inner.path] }));
}

function isWrongKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

/** The library's own sentence begins so, and was written by nobody who knows the field. */
const OF_LIBRARY = /^Invalid input(?:$|: expected)/;
const NAMES_OF_TYPES: Readonly<Partial<Record<string, string>>> = {
  string: 'a text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object with fields',
};

function wordsOf(issue: z.core.$ZodIssue): string {
  if (!OF_LIBRARY.test(issue.message)) return issue.message;
  const kinds = [...new Set(kindsOf(issue))];
  if (kinds.length === 0) return issue.message;
  const found = /received (\w+)$/.exec(issue.message)?.[1];
  if (found === 'undefined') return `is missing: it must be ${kinds.join(' or ')}`;
  return `must be ${kinds.join(' or ')}${found === undefined || kinds.includes('a whole number') ? '' : `, and not ${NAMES_OF_TYPES[found] ?? found}`}`;
}

/** Kinds of values that an issue asks for. */
function kindsOf(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === 'invalid_type') return [NAMES_OF_TYPES[issue.expected] ?? issue.expected];
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value));
  if (issue.code !== 'invalid_union') return [];
  return issue.errors.flatMap((issues) => issues.filter(isWrongKind).flatMap(kindsOf));
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

/** Names of the fields that the object at `path` inside the schema knows, in any of its forms; none where it is not an object. */
function fieldsAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return [...new Set(inner.options.flatMap((form) => fieldsAt(form, path)))];
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
