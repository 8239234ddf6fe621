/** Names in a sentence for a terminal: a fleet has thousands of devices, and an id up to 256 characters. */

/** Names in one list of a sentence; the others are counted. */
const NAMES_SHOWN = 3;
/** Characters of a name: ids of real fleets are shorter. */
const NAME_CHARACTERS = 24;

/** A name, or its beginning with `…`. */
export function shortName(name: string): string {
  // By characters: half of one would be printed as a question mark.
  const characters = Array.from(name);
  return characters.length <= NAME_CHARACTERS
    ? name
    : `${characters.slice(0, NAME_CHARACTERS - 1).join('')}…`;
}

/**
 * `d1, d2, d3 and 17 more`.
 * @param items the first of them, each with its name made short; further ones than can be shown are counted
 * @param count of all
 */
export function fewOf(items: readonly string[], count = items.length): string {
  const shown = items.slice(0, NAMES_SHOWN);
  const more = count - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more.toLocaleString('en')} more` : ''}`;
}
