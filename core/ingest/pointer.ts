/**
 * JSON Pointers (RFC 6901) into messages that were parsed from JSON. Unlike there, `/` alone is the whole document, and only own fields
 * of objects are found.
 */
export interface Pointer {
  /** As it was written. */
  readonly text: string;
  readonly tokens: readonly string[];
}

/** Names that every object has without being given them. */
const INHERITED: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype));
const ARRAY_INDEX = /^(?:0|[1-9][0-9]*)$/;

export function parsePointer(text: string): Pointer {
  const tokens = text === '/' ? [] : text.slice(1).split('/').map(unescaped);
  return { text, tokens };
}

/** JSON Pointer of a field of `container`, itself a pointer's text. */
export function fieldPath(container: string, name: string | number): string {
  const token = String(name).replaceAll('~', '~0').replaceAll('/', '~1');
  return container === '/' ? `/${token}` : `${container}/${token}`;
}

/** The value that a pointer leads to; undefined where there is none. */
export function valueAt(document: unknown, { tokens }: Pointer): unknown {
  let value = document;
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = fieldOf(value, token);
  }
  return value;
}

function fieldOf(container: object, token: string): unknown {
  if (Array.isArray(container)) return ARRAY_INDEX.test(token) ? container[Number(token)] : undefined;
  if (INHERITED.has(token) && !Object.hasOwn(container, token)) return undefined;
  return isRecord(container) ? container[token] : undefined;
}

/** Any object has fields of unknown types; a type predicate says so to the compiler. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unescaped(token: string): string {
  return token.replaceAll('~1', '/').replaceAll('~0', '~');
}
