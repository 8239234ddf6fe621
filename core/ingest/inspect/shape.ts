import { FedloopError } from '../../contracts/errors';
import { fieldPath } from '../pointer';
import { type Finding, type Hints, type Question } from './hints';
import {
  arraysIn,
  type Column,
  distinctValues,
  type Inventory,
  inventoryOf,
  isNumericColumn,
} from './inventory';
import { isHousekeepingName, namesOf, sensorNameOfPattern } from './names';
import { pathsIn } from './paths';
import { timePaths } from './time-field';

/** How many readings a message has, and where: one, one for each element of an array, or one for each field of a pattern. */
export interface Shape {
  readonly inventory: Inventory;
  readonly each: string | undefined;
  readonly wide: WideFields | undefined;
  readonly why: string;
}

export interface WideFields {
  /** Names with `*` for the device. */
  readonly pattern: string;
  /** Path of the object that has the fields; `/` is the message. */
  readonly container: string;
  readonly devices: number;
}

/** Find out how many readings the messages of a sample have. */
export function findShape(messages: readonly unknown[], hints: Hints): Finding<Shape> {
  if (hints.wide !== undefined) return { found: wideShape(messages, hints.wide, hints.each) };
  const { each } = hints;
  if (each === undefined) return findEach(messages, hints);
  const inventory = inventoryOf(messages, each);
  if (inventory.columns.length === 0) {
    const whole = inventoryOf(messages, undefined);
    throw new FedloopError(
      'InvalidData',
      `no message has an array of readings at ${each}: ${pathsIn(whole)}`,
      {
        hint: 'Give --each the path of an array whose elements are readings; / is the message itself.',
      },
    );
  }
  return { found: { inventory, each, wide: undefined, why: 'As it was given.' } };
}

function findEach(messages: readonly unknown[], hints: Hints): Finding<Shape> {
  const whole = { inventory: inventoryOf(messages, undefined), each: undefined, wide: undefined, why: '' };
  const counts = new Map<string, number>();
  for (const message of messages)
    for (const path of arraysIn(message)) counts.set(path, (counts.get(path) ?? 0) + 1);
  const arrays = [...counts.keys()].map((each) => ({ each, inventory: inventoryOf(messages, each) }));
  if ((counts.get('/') ?? 0) > messages.length / 2) {
    return {
      found: {
        inventory: inventoryOf(messages, '/'),
        each: '/',
        wide: undefined,
        why: 'Each message is an array of readings.',
      },
    };
  }
  // An array's elements have their own fields by index in the inventory of whole messages: they are left out.
  const outside = sensorPaths(whole.inventory).filter(
    (path) => !arrays.some(({ each }) => path.startsWith(`${each}/`)),
  );
  const lists = arrays.filter(({ inventory }) =>
    sensorPaths(inventory).some((path) => !outside.includes(path)),
  );
  const [first, ...more] = lists;
  if (first === undefined || outsideHasTarget(whole.inventory, hints)) return { found: whole };
  const isIn = (inventory: Inventory): boolean => inventory.columns.some(({ path }) => path === hints.target);
  const named = hints.target === undefined ? undefined : lists.find(({ inventory }) => isIn(inventory));
  const only = named ?? (more.length === 0 && outside.length === 0 ? first : undefined);
  if (only === undefined)
    return {
      question: whichArray(
        lists.map(({ each }) => each),
        outside,
      ),
    };
  const why = `Each element of ${only.each} is a reading.`;
  return { found: { ...only, wide: undefined, why } };
}

/** Whether a whole message has what is to be forecast: arrays in it are then something else. */
function outsideHasTarget({ columns }: Inventory, { target }: Hints): boolean {
  const has = (path: string): boolean => columns.some((column) => column.path === path);
  return target === undefined ? CANONICAL.every(has) : has(target);
}

const CANONICAL = ['/device_id', '/timestamp', '/temperature'];

function whichArray(arrays: readonly string[], outside: readonly string[]): Question {
  const others =
    outside.length === 0 ? '' : `, and ${outside.slice(0, 3).join(', ')} beside them have numbers too`;
  return {
    asks: 'each',
    unclear: `readings can be the elements of ${arrays.join(' or ')}${others}`,
    choices: arrays.map((value) => ({ value, why: 'each element is a reading' })),
  };
}

/** Paths of fields with numbers that vary. */
function sensorPaths(inventory: Inventory): readonly string[] {
  return varyingNumbers(inventory).map(({ path }) => path);
}

function varyingNumbers(inventory: Inventory): readonly Column[] {
  const times = timePaths(inventory);
  return inventory.columns.filter(
    (column) =>
      !times.has(column.path) &&
      !isHousekeepingName(column.path) &&
      isNumericColumn(column) &&
      distinctValues(column).size > 1,
  );
}

/** @param given a pattern, perhaps with the path of the object before it: `temperature_*`, `/values/*`. */
function wideShape(messages: readonly unknown[], given: string, each: string | undefined): Shape {
  const slash = given.lastIndexOf('/', given.indexOf('*'));
  const object = slash <= 0 ? '/' : given.slice(0, slash);
  const pattern = given.slice(slash + 1);
  const [name = '', ...inside] = pattern.split('/');
  const inner = inside.map((token) => `/${token}`).join('');
  const inventory = inventoryOf(messages, each);
  const families = new Map<string, number>();
  for (const column of inventory.columns) {
    if (!column.path.endsWith(inner) || !isNumericColumn(column)) continue;
    const field = column.path.slice(0, column.path.length - inner.length);
    const container = containerOf(field);
    const isThere = slash < 0 || container === object;
    if (isThere && isLike(namesOf(field).at(-1) ?? '', name))
      families.set(container, (families.get(container) ?? 0) + 1);
  }
  const [largest] = [...families].sort(([, a], [, b]) => b - a);
  if (largest === undefined) {
    throw new FedloopError(
      'InvalidData',
      `no field with numbers is named like ${given}: ${pathsIn(inventory)}`,
      { hint: 'Give the pattern with one * where the device is, such as --wide "temperature_*".' },
    );
  }
  const [container, devices] = largest;
  const why = `Each of the ${devices} fields like ${pattern} is a device.`;
  return { inventory, each, wide: { pattern, container, devices }, why };
}

function isLike(name: string, pattern: string): boolean {
  const [prefix = '', suffix = ''] = pattern.split('*');
  return name.length > prefix.length + suffix.length && name.startsWith(prefix) && name.endsWith(suffix);
}

/** Patterns of fields that can be one a device, for a sample in which nothing else names devices. */
export function widePatterns(
  inventory: Inventory,
): readonly { readonly value: string; readonly why: string }[] {
  const families = new Map<string, string[]>();
  for (const column of varyingNumbers(inventory)) {
    const container = containerOf(column.path);
    for (const pattern of patternsOf(nameOf(column))) {
      const path = container === '/' ? pattern : fieldPath(container, pattern);
      families.set(path, [...(families.get(path) ?? []), nameOf(column)]);
    }
  }
  return [...families]
    .filter(([, names]) => names.length > 1)
    .sort(([, a], [, b]) => b.length - a.length)
    .slice(0, 3)
    .map(([value, names]) => ({
      value,
      why: `${names.slice(0, 3).join(', ')}: ${sensorNameOfPattern(value)} of ${names.length} devices`,
    }));
}

/** `temperature_a1` → `temperature_*`, `*_a1`; `t12` → `t*`. */
function patternsOf(name: string): readonly string[] {
  const patterns: string[] = [];
  for (const [, before = '', mark = '', after = ''] of [
    ...name.matchAll(/^(.+?)([_.:-])(.+)$/g),
    ...name.matchAll(/^(.+)([_.:-])(.+?)$/g),
  ])
    patterns.push(`${before}${mark}*`, `*${mark}${after}`);
  const [, letters] = /^(\D+)\d+$/.exec(name) ?? [];
  if (letters !== undefined) patterns.push(`${letters}*`);
  return [...new Set(patterns)];
}

function containerOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

function nameOf({ path }: Column): string {
  return namesOf(path).at(-1) ?? '';
}
