/** Values between commas, each read by `parse`. */
export function listOf<Item>(parse: (text: string) => Item): (text: string) => Item[] {
  return (text) => text.split(',').map((part) => parse(part.trim()));
}
