import { FedloopError } from '../../contracts/errors';
import { type StreamSettings } from '../../contracts/settings';
import { type SourceFields } from '../../contracts/source';
import { DEFAULT_TASK } from '../../contracts/task';
import { columnAt, type Inventory, inventoryOf, isNumericColumn } from './inventory';
import { assertNumbers, assertPath, lackingSentence, pathsIn } from './paths';
import { findShape } from './shape';

/**
 * Hold a source against a sample of its messages.
 * @returns what a person should know, each as one sentence.
 * @throws FedloopError `InvalidData` for a path that no message has, and for a target of words; `InvalidInput` for an id that is not in
 *   messages.
 */
export function assertSource(
  messages: readonly unknown[],
  { source, task }: StreamSettings,
): readonly string[] {
  const { fields = {}, each, wide } = source;
  if (wide !== undefined) {
    const container = pathOf(fields[task.target.sensor]);
    findShape(messages, {
      wide: container === undefined || container === '/' ? wide : `${container}/${wide}`,
      ...(each === undefined ? {} : { each }),
    });
  }
  if (each !== undefined) findShape(messages, { each });
  const inventory = inventoryOf(messages, each);
  const idPath = wide === undefined ? idPathOf(fields) : undefined;
  const timePath = pathOf(fields.timestamp) ?? '/timestamp';
  const targetPath = wide === undefined ? targetPathOf(inventory, fields, task.target.sensor) : undefined;
  for (const path of [idPath, timePath]) if (path !== undefined) assertPath(inventory, path);
  if (targetPath !== undefined) assertNumbers(inventory, targetPath);
  // Without a file nobody has asked for any.
  const asked = task === DEFAULT_TASK ? [] : task.covariates;
  const covariates = asked.flatMap(({ sensor }) => {
    const path = pathOf(fields[sensor]);
    if (path !== undefined) assertPath(inventory, path);
    return withoutNumbers(inventory, path ?? `/${sensor}`);
  });
  const parts = [idPath, timePath, targetPath].flatMap((path) =>
    path === undefined ? [] : (lackingSentence(inventory, path) ?? []),
  );
  return [...parts, ...covariates];
}

function idPathOf({ device_id: field = '/device_id' }: SourceFields): string {
  if (typeof field === 'string') return field;
  if ('path' in field) return field.path;
  throw new FedloopError(
    'InvalidInput',
    'the device id is a part of the MQTT topic, which a sample of messages does not have',
    {
      hint: 'Look at what arrives with `fedloop status` once the fleet is up.',
    },
  );
}

function pathOf(field: SourceFields[string] | SourceFields['timestamp']): string | undefined {
  return typeof field === 'object' ? field.path : field;
}

/** An event may have its target under `data`. */
function targetPathOf(inventory: Inventory, fields: SourceFields, sensor: string): string {
  const own = pathOf(fields[sensor]);
  if (own !== undefined) return own;
  return columnAt(inventory, `/${sensor}`) === undefined && columnAt(inventory, '/data') !== undefined
    ? '/data'
    : `/${sensor}`;
}

/** Says that a covariate has no numbers: it costs nothing but its own values. */
function withoutNumbers(inventory: Inventory, path: string): readonly string[] {
  const column = columnAt(inventory, path);
  if (column === undefined) return [`No message has the covariate ${path}: ${pathsIn(inventory)}.`];
  return isNumericColumn(column)
    ? []
    : [`Most values of the covariate ${path} are no numbers: they are left out.`];
}
