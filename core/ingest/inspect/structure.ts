import { FedloopError } from '../../contracts/errors';
import { type Finding, type Hints } from './hints';
import { findId, type IdField } from './id-field';
import { type Inventory } from './inventory';
import { sensorNameOfPattern } from './names';
import { assertNumbers, assertPath, lackingSentence } from './paths';
import { findShape, type WideFields, widePatterns } from './shape';
import { findCovariates, findTarget, type KnownFields, type SensorField } from './target-field';
import { findTime, type TimeField, timePaths } from './time-field';

/** Where the parts of a reading stand in a sample's messages. Paths are those in an element where there is `each`. */
export interface Structure {
  readonly inventory: Inventory;
  readonly each: string | undefined;
  readonly wide: WideFields | undefined;
  readonly shapeWhy: string;
  /** Undefined where the device stands in the name of a field. */
  readonly id: IdField | undefined;
  readonly time: TimeField;
  /** Of a wide source its path is that of the object with the fields. */
  readonly target: SensorField;
  readonly covariates: readonly SensorField[];
}

/**
 * Find out where messages have their parts.
 * @throws FedloopError `InvalidData` for a path that no message has, or a target of words.
 */
export function findStructure(messages: readonly unknown[], hints: Hints): Finding<Structure> {
  const shape = findShape(messages, hints);
  if ('question' in shape) return shape;
  const { inventory, each, wide, why: shapeWhy } = shape.found;
  for (const path of [hints.timestamp, wide === undefined ? hints.deviceId : undefined]) {
    if (path !== undefined) assertPath(inventory, path);
  }
  for (const path of [...(wide === undefined ? [hints.target] : []), ...(hints.covariates ?? [])]) {
    if (path !== undefined) assertNumbers(inventory, path);
  }
  assertDifferent([hints.target, ...(hints.covariates ?? [])]);
  const time = findTime(inventory, hints);
  if ('question' in time) return time;
  const common = { inventory, each, wide, shapeWhy, time: time.found };
  if (wide !== undefined)
    return { found: { ...common, ...wideParts(wide), covariates: covariatesOfWide(inventory, hints) } };
  const id = findId(inventory, time.found, hints);
  if ('question' in id) return perhapsWide(id, inventory);
  const known: KnownFields = {
    idPath: id.found.path,
    timePath: time.found.path,
    otherTimes: timePaths(inventory),
  };
  const target = findTarget(inventory, known, hints);
  if ('question' in target) return target;
  const covariates = findCovariates(inventory, known, target.found, hints);
  return { found: { ...common, id: id.found, target: target.found, covariates } };
}

/** @throws FedloopError `InvalidInput` where one field is to be two sensors. */
function assertDifferent(paths: readonly (string | undefined)[]): void {
  const twice = paths.find((path, index) => path !== undefined && paths.indexOf(path) < index);
  if (twice === undefined) return;
  throw new FedloopError('InvalidInput', `${twice} is named twice, as two sensors`, {
    hint: 'A covariate is another field than the target, and each is named once.',
  });
}

/** Where nothing names a device, the names of fields may do. */
function perhapsWide(
  id: Extract<Finding<never>, { readonly question: unknown }>,
  inventory: Inventory,
): Finding<never> {
  const patterns = id.question.choices.length > 0 ? [] : widePatterns(inventory);
  if (patterns.length === 0) return id;
  return {
    question: {
      asks: 'wide',
      unclear: `${id.question.unclear}; perhaps fields such as ${patterns[0]?.value ?? ''} are one device each`,
      choices: patterns,
    },
  };
}

function wideParts({ pattern, container, devices }: WideFields): Pick<Structure, 'id' | 'target'> {
  const why = `one field like ${pattern} for each of ${devices} devices.`;
  return { id: undefined, target: { sensor: sensorNameOfPattern(pattern), path: container, unit: '', why } };
}

/** Only those that were given: any other field with numbers is a device. */
function covariatesOfWide(inventory: Inventory, hints: Hints): readonly SensorField[] {
  return findCovariates(
    inventory,
    { idPath: null, timePath: '', otherTimes: new Set() },
    { sensor: sensorNameOfPattern('*'), path: '', unit: '', why: '' },
    { ...hints, covariates: hints.covariates ?? [] },
  );
}

/** Readings that lack a part of theirs, each as one sentence. */
export function lackingSentences({ inventory, id, time, target, wide }: Structure): readonly string[] {
  const paths = [id?.path, time.path, wide === undefined ? target.path : undefined];
  return paths.flatMap((path) => (path === undefined ? [] : (lackingSentence(inventory, path) ?? [])));
}
