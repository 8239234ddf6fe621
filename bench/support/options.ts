import { InvalidArgumentError } from 'commander';

/** Values between commas, each read by `parse`. */
export function listOf<Item>(parse: (text: string) => Item): (text: string) => Item[] {
  return (text) => text.split(',').map((part) => parse(part.trim()));
}

/** One of these words. */
export function oneOf<Name extends string>(names: readonly Name[]): (text: string) => Name {
  return (text) => {
    const known = names.find((name) => name === text);
    if (known === undefined) throw new InvalidArgumentError(`must be one of ${names.join(', ')}`);
    return known;
  };
}
