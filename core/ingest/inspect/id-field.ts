import { deviceIdOf } from '../fields';
import { type Finding, type Hints } from './hints';
import { type Column, columnAt, distinctValues, type Inventory, type Scalar, shareOf } from './inventory';
import { isIdName } from './names';
import { type TimeField } from './time-field';

export interface IdField {
  readonly path: string;
  readonly why: string;
}

/** The event's own field for it. */
const CANONICAL = '/device_id';
/** Share of the places in which a device id must stand: others are messages of another kind. */
const MIN_PRESENT = 0.1;
/** A field under which so many more readings share device and instant than under another is no device. */
const MORE_COLLISIONS = 0.01;

/**
 * Find the field that names the device. Names count (`deviceId`, `sensor`, `serial`), and so does this: a device has one reading at an
 * instant. Where two fields are as likely, a person has to say which.
 */
export function findId(inventory: Inventory, time: TimeField, hints: Hints): Finding<IdField> {
  if (hints.deviceId !== undefined) return { found: { path: hints.deviceId, why: 'As it was given.' } };
  const possible = inventory.columns.filter((column) => canBeId(column, inventory, time));
  if (possible.some(({ path }) => path === CANONICAL)) {
    return { found: { path: CANONICAL, why: "The event's own name for it." } };
  }
  const candidates = bestNamed(withFewestCollisions(possible, inventory, time));
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) {
    return { found: { path: only.path, why: `${countOf(only)}; readings of one of them share no instant.` } };
  }
  if (only === undefined) {
    return { question: { asks: 'deviceId', unclear: 'no field looks like the id of a device', choices: [] } };
  }
  return {
    question: {
      asks: 'deviceId',
      unclear: `${candidates.length} fields can be the id of the device: ${candidates.map((one) => `${one.path} (${countOf(one)})`).join(', ')}`,
      choices: candidates.map((one) => ({ value: one.path, why: countOf(one) })),
    },
  };
}

function countOf(column: Column): string {
  const { size } = distinctValues(column);
  return size === 1 ? '1 value' : `${size} values`;
}

function canBeId(column: Column, { places }: Inventory, time: TimeField): boolean {
  if (column.path === time.path || column.present < MIN_PRESENT * places) return false;
  const isId = (value: Scalar): boolean =>
    deviceIdOf(value) !== undefined && (typeof value === 'string' || isIdName(column.path));
  if (shareOf(column, isId) <= 0.5) return false;
  return isIdName(column.path) || distinctValues(column).size > 1;
}

/** Leave out fields under which more readings share device and instant, and those whose values hardly ever come again. */
function withFewestCollisions(
  columns: readonly Column[],
  inventory: Inventory,
  time: TimeField,
): readonly Column[] {
  const times = columnAt(inventory, time.path);
  const kinds = kindsOf(inventory);
  const recurring = columns.filter((column) => distinctValues(column).size <= column.present / 2);
  const rated = (recurring.length > 0 ? recurring : columns).map((column) => ({
    column,
    collisions: times === undefined ? 0 : collisionsOf(column, times, kinds),
  }));
  const fewest = Math.min(...rated.map(({ collisions }) => collisions));
  return rated.filter(({ collisions }) => collisions <= fewest + MORE_COLLISIONS).map(({ column }) => column);
}

/** Which fields each place has: a device may send messages of several kinds at one instant. */
function kindsOf({ places, columns }: Inventory): readonly string[] {
  const kinds = Array.from({ length: places }, () => '');
  for (const [number, { values }] of columns.entries())
    for (const [place, value] of values.entries())
      if (value !== undefined) kinds[place] = `${kinds[place] ?? ''} ${number}`;
  return kinds;
}

/** Share of the places whose device, time and kind another place before has. */
function collisionsOf(ids: Column, times: Column, kinds: readonly string[]): number {
  const seen = new Set<string>();
  let count = 0;
  let places = 0;
  for (const [place, id] of ids.values.entries()) {
    const time = times.values[place];
    if (id === undefined || time === undefined) continue;
    places += 1;
    const key = JSON.stringify([id, time, kinds[place]]);
    if (seen.has(key)) count += 1;
    seen.add(key);
  }
  return places === 0 ? 0 : count / places;
}

/** Fields named like an id before others; those that vary before those that never do. */
function bestNamed(columns: readonly Column[]): readonly Column[] {
  const named = columns.filter(({ path }) => isIdName(path));
  const likely = named.length > 0 ? named : columns;
  const varying = likely.filter((column) => distinctValues(column).size > 1);
  return varying.length > 0 ? varying : likely;
}
