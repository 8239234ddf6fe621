import { FedloopError } from '../../contracts/errors';
import { columnAt, exampleOf, type Inventory, isNumeric, isNumericColumn, shareOf } from './inventory';

/** Paths that a sentence lists. */
const PATHS_SHOWN = 12;

/** What a sample's messages have, as the end of a sentence: `they have /a, /b/c`. */
export function pathsIn({ columns }: Inventory): string {
  const often = [...columns].sort((a, b) => b.present - a.present).map(({ path }) => path);
  const more = often.length > PATHS_SHOWN ? ` and ${often.length - PATHS_SHOWN} more` : '';
  return often.length === 0
    ? 'they have no fields'
    : `they have ${often.slice(0, PATHS_SHOWN).join(', ')}${more}`;
}

/** So many messages say whether a path is right. */
const MESSAGES_LOOKED_AT = 1_000;

/**
 * Make sure that at least one of a sample's readings has a value at a path.
 * @throws FedloopError `InvalidData` with the paths that there are instead.
 */
export function assertPath(inventory: Inventory, path: string): void {
  if (columnAt(inventory, path) !== undefined) return;
  const inner = inventory.columns.find((column) => column.path.startsWith(`${path}/`));
  throw new FedloopError(
    'InvalidData',
    inner === undefined
      ? `none of the ${firstOf(inventory.places)} has ${path}: ${pathsIn(inventory)}`
      : `${path} holds other fields, such as ${inner.path}, and no value`,
    { hint: 'Name one of the paths that there are.' },
  );
}

/**
 * Make sure that a path leads to numbers.
 * @throws FedloopError `InvalidData` with an example of what there is.
 */
export function assertNumbers(inventory: Inventory, path: string): void {
  assertPath(inventory, path);
  const column = columnAt(inventory, path);
  if (column === undefined || isNumericColumn(column)) return;
  const words = shareOf(column, (value) => !isNumeric(value));
  throw new FedloopError(
    'InvalidData',
    `${path} is no sensor: ${words === 1 ? 'none' : 'less than half'} of its values are numbers; one is ${exampleOf(column)}`,
    { hint: 'A target or covariate is a field with numbers, or with texts of numbers.' },
  );
}

/** How many readings have no value at a path, as a sentence; undefined where all have one. */
export function lackingSentence(inventory: Inventory, path: string): string | undefined {
  const places = Math.min(MESSAGES_LOOKED_AT, inventory.places);
  const column = columnAt(inventory, path);
  let lacking = 0;
  for (let place = 0; place < places; place += 1) if (column?.values[place] === undefined) lacking += 1;
  return lacking === 0
    ? undefined
    : `${lacking.toLocaleString('en')} of the ${firstOf(places)} lack ${path}.`;
}

function firstOf(count: number): string {
  if (count === 1) return 'one message';
  return `first ${Math.min(MESSAGES_LOOKED_AT, count).toLocaleString('en')} messages`;
}
