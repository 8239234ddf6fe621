/** JSON of a record, or undefined for what is none: the schema behind it then refuses it like any other wrong value. */
export function parseJson(value: Buffer): unknown {
  try {
    return JSON.parse(value.toString('utf8'));
  } catch {
    return undefined;
  }
}
