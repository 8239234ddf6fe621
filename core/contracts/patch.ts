import { z } from 'zod';

/** A JSON value that changes another one, by RFC 7396 (JSON Merge Patch), as Temporal's UI and shells send it. */

/**
 * Objects are merged field by field; `null` takes a field away, so that its default holds again; anything else takes the place of what was
 * there, lists as a whole.
 */
export function mergePatch(value: unknown, patch: unknown): unknown {
  if (!isFields(patch)) return patch;
  const fields = isFields(value) ? fieldsOf(value) : new Map<string, unknown>();
  for (const [name, change] of fieldsOf(patch)) {
    if (change === null) fields.delete(name);
    else if (change !== undefined) fields.set(name, mergePatch(fields.get(name), change));
  }
  return Object.fromEntries(fields);
}

/** The fields that differ between two JSON values, as they are in the one and in the other; a field that one lacks is `null` there. */
export const differenceSchema = z.strictObject({
  before: z.record(z.string(), z.unknown()).readonly(),
  after: z.record(z.string(), z.unknown()).readonly(),
});
export type Difference = Readonly<z.infer<typeof differenceSchema>>;

/** @returns empty sides where nothing differs */
export function differenceOf(before: object, after: object): Difference {
  const was = fieldsOf(before);
  const is = fieldsOf(after);
  const found = [...new Set([...was.keys(), ...is.keys()])].flatMap((name) => {
    const [one, other] = [was.get(name) ?? null, is.get(name) ?? null];
    if (isFields(one) && isFields(other)) {
      const inner = differenceOf(one, other);
      return Object.keys(inner.after).length === 0 ? [] : [{ name, ...inner }];
    }
    return JSON.stringify(one) === JSON.stringify(other) ? [] : [{ name, before: one, after: other }];
  });
  return {
    before: Object.fromEntries(found.map(({ name, before: value }) => [name, value])),
    after: Object.fromEntries(found.map(({ name, after: value }) => [name, value])),
  };
}

function fieldsOf(value: object): Map<string, unknown> {
  return new Map(Object.entries(value));
}

function isFields(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
