import { DEFAULT_TASK, EVENT_FIELDS, MAX_COVARIATES, type SensorName, sensorsOf } from '../../contracts/task';
import { numberOf } from '../fields';
import { type Finding, type Hints } from './hints';
import {
  type Column,
  columnAt,
  distinctValues,
  exampleOf,
  type Inventory,
  isNumeric,
  isNumericColumn,
} from './inventory';
import { isHousekeepingName, namesOf, sensorNameOf } from './names';

/** A sensor, and where its readings stand. */
export interface SensorField {
  readonly sensor: SensorName;
  readonly path: string;
  readonly unit: string;
  readonly why: string;
}

/** Fields whose part is known already; null where a part is in no field. */
export interface KnownFields {
  readonly idPath: string | null;
  readonly timePath: string;
  /** Fields that a device's own clock or another one wrote. */
  readonly otherTimes: ReadonlySet<string>;
}

/** The default task's covariates never compete with its target. */
const DEFAULT_SENSORS: readonly string[] = sensorsOf(DEFAULT_TASK).map((sensor) => `/${sensor}`);
const DEFAULT_TARGET = `/${DEFAULT_TASK.target.sensor}`;
/** An event may have its target under this name. */
const DATA = '/data';

/** Find the sensor to forecast: the one field of numbers that vary in time. Where there are several, a person has to say which. */
export function findTarget(inventory: Inventory, known: KnownFields, hints: Hints): Finding<SensorField> {
  if (hints.target !== undefined) {
    return { found: sensorAt(inventory, hints.target, 'As it was given.') };
  }
  const varying = readingColumns(inventory, known);
  const candidates = likeliest(varying);
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) {
    return { found: sensorAt(inventory, only.path, whyOf(only, varying.length)) };
  }
  if (only === undefined) {
    return {
      question: {
        asks: 'target',
        unclear: `no field has numbers that vary${constantsOf(inventory, known)}`,
        choices: [],
      },
    };
  }
  return {
    question: {
      asks: 'target',
      unclear: `${candidates.length} fields can be the sensor to forecast: ${candidates.map(({ path }) => path).join(', ')}`,
      choices: candidates.map((one) => ({ value: one.path, why: rangeOf(one) })),
    },
  };
}

/** Sensors that may help to forecast the target: fields that vary in most of its messages, and go up and down. */
export function findCovariates(
  inventory: Inventory,
  known: KnownFields,
  target: SensorField,
  hints: Hints,
): readonly SensorField[] {
  const paths =
    hints.covariates ??
    readingColumns(inventory, known)
      .filter((column) => column.path !== target.path && comesWith(column, columnAt(inventory, target.path)))
      .filter((column) => !isHousekeepingName(column.path))
      .map(({ path }) => path)
      .slice(0, MAX_COVARIATES);
  const why = hints.covariates === undefined ? rangeIn(inventory) : () => 'As it was given.';
  return withOwnNames(
    target,
    paths.map((path) => sensorAt(inventory, path, why(path))),
  );
}

/** Numbers that vary within a device; those that only ever grow, as counters do, where there are no others. */
function readingColumns(inventory: Inventory, known: KnownFields): readonly Column[] {
  const idColumn = known.idPath === null ? undefined : columnAt(inventory, known.idPath);
  // Where each device has one reading, only a look at all of them says what varies.
  const recurs = idColumn !== undefined && distinctValues(idColumn).size < idColumn.present;
  const ids = recurs ? idColumn : undefined;
  const varying = inventory.columns
    .filter((column) => !isKnown(column.path, known) && isNumericColumn(column))
    .map((column) => ({ column, course: courseOf(column, ids) }))
    .filter(({ course }) => course !== 'constant');
  const sensors = varying.filter(({ course }) => course === 'varies');
  return (sensors.length > 0 ? sensors : varying).map(({ column }) => column);
}

function isKnown(path: string, { idPath, timePath, otherTimes }: KnownFields): boolean {
  if (path === idPath || path === timePath || otherTimes.has(path)) return true;
  return path !== DATA && EVENT_FIELDS.some((field) => path === `/${field}`);
}

/** How a column's numbers go on within each device. */
function courseOf(column: Column, ids: Column | undefined): 'constant' | 'grows' | 'varies' {
  const lasts = new Map<unknown, number>();
  let rises = 0;
  let falls = 0;
  for (const [place, value] of column.values.entries()) {
    if (value === undefined || !isNumeric(value)) continue;
    const device = ids?.values[place];
    const number = numberOf(value);
    const last = lasts.get(device);
    if (last !== undefined && number > last) rises += 1;
    if (last !== undefined && number < last) falls += 1;
    lasts.set(device, number);
  }
  if (rises + falls === 0) return 'constant';
  // A sensor's rise over a short sample has some noise in it.
  return falls === 0 && rises >= MIN_RISES && isWhole(column) ? 'grows' : 'varies';
}

const MIN_RISES = 10;

function isWhole(column: Column): boolean {
  return column.values.every((value) => value === undefined || Number.isInteger(numberOf(value)));
}

function likeliest(columns: readonly Column[]): readonly Column[] {
  const sensors = columns.filter(({ path }) => !isHousekeepingName(path));
  const likely = sensors.length > 0 ? sensors : columns;
  const isDefaultFleet = likely.every(({ path }) => DEFAULT_SENSORS.includes(path));
  return isDefaultFleet && likely.some(({ path }) => path === DEFAULT_TARGET)
    ? likely.filter(({ path }) => path === DEFAULT_TARGET)
    : likely;
}

/** Whether a column has a value in at least half of the places in which another has one. */
function comesWith(column: Column, other: Column | undefined): boolean {
  let both = 0;
  for (const [place, value] of column.values.entries())
    if (value !== undefined && other?.values[place] !== undefined) both += 1;
  return both >= (other?.present ?? 0) / 2;
}

function sensorAt(inventory: Inventory, path: string, why: string): SensorField {
  return { sensor: sensorNameOf(path), path, unit: unitOf(inventory, path), why };
}

const UNIT_NAMES = ['unit', 'units', 'uom'];
const UNIT_CHARACTERS = 20;

/** The text of a field `unit` beside the value, where it is always the same. */
function unitOf(inventory: Inventory, path: string): string {
  const container = path.slice(0, path.lastIndexOf('/'));
  const own = namesOf(path).at(-1) ?? '';
  const names = [...UNIT_NAMES, `${own}_unit`, `${own}Unit`];
  for (const name of names) {
    const column = columnAt(inventory, `${container}/${name}`);
    const [unit, ...others] = column === undefined ? [] : distinctValues(column);
    if (typeof unit === 'string' && others.length === 0 && unit.length <= UNIT_CHARACTERS) return unit;
  }
  return '';
}

/** Give a number to a name that another sensor has already. */
function withOwnNames(target: SensorField, covariates: readonly SensorField[]): readonly SensorField[] {
  const taken = new Set<string>([target.sensor]);
  return covariates.map((covariate) => {
    let sensor = covariate.sensor;
    for (let number = 2; taken.has(sensor); number += 1)
      sensor = sensorNameOf(`/${covariate.sensor}_${number}`);
    taken.add(sensor);
    return { ...covariate, sensor };
  });
}

function whyOf(column: Column, varying: number): string {
  const others =
    varying === 1 ? 'no other field has numbers that vary' : 'the likeliest of the fields that vary';
  return `${rangeOf(column)}; ${others}.`;
}

function rangeIn(inventory: Inventory): (path: string) => string {
  return (path) => {
    const column = columnAt(inventory, path);
    return column === undefined ? '' : `${rangeOf(column)}.`;
  };
}

function rangeOf(column: Column): string {
  let min = Infinity;
  let max = -Infinity;
  for (const value of column.values) {
    const number = value === undefined ? NaN : numberOf(value);
    if (number < min) min = number;
    if (number > max) max = number;
  }
  return `${readable(min)} to ${readable(max)}`;
}

/** Without the digits that a scale or a sum leaves behind. */
function readable(value: number): number {
  return Number(value.toPrecision(12));
}

function constantsOf(inventory: Inventory, known: KnownFields): string {
  const constants = inventory.columns.filter(
    (column) => !isKnown(column.path, known) && isNumericColumn(column),
  );
  const [first] = constants;
  if (first === undefined) return '';
  return `; ${constants
    .map(({ path }) => path)
    .slice(0, 5)
    .join(', ')} never ${constants.length === 1 ? 'changes' : 'change'}, such as ${exampleOf(first)}`;
}
