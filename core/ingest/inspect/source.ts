import { ROW_LIMITS } from '../../contracts/limits';
import { type Source, sourceSchema } from '../../contracts/source';
import { FORBIDDEN_KEYS } from '../../contracts/task';
import { deviceIdOf, isAbsent, labelOf } from '../fields';
import { microsOfValue } from '../instants';
import { isRecord, parsePointer, valueAt } from '../pointer';
import { columnAt, type Scalar, shareOf } from './inventory';
import { type Structure } from './structure';
import { type SampleMessage } from './sample';

/** A source with what speaks for its parts, by their path in the file. */
interface ChosenSource {
  readonly source: Source;
  readonly reasons: readonly (readonly [string, string])[];
  /** Stream workers can read the topic as it is. */
  readonly isCanonical: boolean;
}

/** How a sample's messages become events: as they are where they are events already and each device keeps to one partition. */
export function sourceOf(
  structure: Structure,
  messages: readonly SampleMessage[],
  topic: string | undefined,
): ChosenSource {
  const { id, time, target, covariates, each, wide, shapeWhy } = structure;
  const scattered = scatteredDevices(structure, messages);
  const isCanonical =
    scattered === undefined && areEvents(structure) && !messages.some(({ value }) => hasForeignField(value));
  const ofTopic: ChosenSource['reasons'] = [['source.topic', 'The topic that devices write to.']];
  if (isCanonical) {
    const why = 'Messages are events as stream workers read them: no field has to be named.';
    return { source: sourceSchema.parse({ topic }), reasons: [...ofTopic, ['source', why]], isCanonical };
  }
  const fields = {
    ...(id === undefined ? {} : { device_id: id.path }),
    timestamp: time.unit === 'iso' ? time.path : { path: time.path, unit: time.unit },
    ...(wide?.container === '/' ? {} : { [target.sensor]: target.path }),
    ...Object.fromEntries(covariates.map(({ sensor, path }) => [sensor, path])),
  };
  return {
    source: sourceSchema.parse({ topic, fields, each, wide: wide?.pattern }),
    reasons: [
      ...ofTopic,
      ['source', topic === undefined ? NO_TOPIC : ''],
      ['source.fields', scattered ?? 'Paths into messages, of which an ingest worker makes events.'],
      ['source.fields.device_id', id?.why ?? ''],
      ['source.fields.timestamp', time.why],
      [
        `source.fields.${target.sensor}`,
        wide === undefined ? target.why : `The object whose fields are devices.`,
      ],
      ...covariates.map(({ sensor, why }) => [`source.fields.${sensor}`, why] as const),
      ['source.each', shapeWhy],
      ['source.wide', shapeWhy],
    ],
    isCanonical,
  };
}

const NO_TOPIC =
  'Add where these messages come from before the fleet goes up: topic: NAME, or mqtt: {url: …, topic: …}.';

/** Whether messages have the fields of an event, under its names and of its types. */
function areEvents({ inventory, id, time, target, covariates, each, wide }: Structure): boolean {
  if (each !== undefined || wide !== undefined || id?.path !== '/device_id' || time.path !== '/timestamp')
    return false;
  const all = (path: string, holds: (value: Scalar) => boolean): boolean => {
    const column = columnAt(inventory, path);
    return column !== undefined && shareOf(column, holds) === 1;
  };
  const isNumber = (value: Scalar): boolean => typeof value === 'number';
  return (
    (target.path === `/${target.sensor}` || target.path === '/data') &&
    covariates.every(({ sensor, path }) => path === `/${sensor}`) &&
    // A text with a number in it is a reading for the ingest worker alone.
    !all(target.path, (value) => typeof value === 'string') &&
    all(target.path, (value) => isNumber(value) || Number.isNaN(Number(value))) &&
    all('/device_id', (value) => typeof value === 'string') &&
    (time.unit === 'iso' || (time.unit === 'ms' && all('/timestamp', isNumber)))
  );
}

/** Whether a message has a field that means something else to stream workers, which would put the event aside for it. */
function hasForeignField(message: unknown): boolean {
  if (!isRecord(message)) return false;
  const { label, record_timestamp: stamp, data } = message;
  return (
    (!isAbsent(label) && labelOf(label) === undefined) ||
    (!isAbsent(stamp) && Number.isNaN(microsOfValue(stamp, typeof stamp === 'number' ? 'ms' : 'iso'))) ||
    (!isAbsent(data) && typeof data !== 'number') ||
    hasForbidden(message, 1)
  );
}

function hasForbidden(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth > ROW_LIMITS.eventDepth) return true;
  return (
    (!Array.isArray(value) && Object.keys(value).some((key) => FORBIDDEN_KEYS.has(key))) ||
    Object.values(value).some((inner) => hasForbidden(inner, depth + 1))
  );
}

/** Says which devices a topic has in several partitions: stream workers need each in one. */
function scatteredDevices({ id, each }: Structure, messages: readonly SampleMessage[]): string | undefined {
  if (id === undefined || each !== undefined) return undefined;
  const pointer = parsePointer(id.path);
  const partitions = new Map<string, number>();
  for (const { value, partition } of messages) {
    const device = deviceIdOf(valueAt(value, pointer));
    if (device === undefined || partition === undefined) continue;
    const before = partitions.get(device);
    if (before !== undefined && before !== partition)
      return `The topic is not keyed by device (${device} is in partitions ${before} and ${partition}): an ingest worker puts each device into one.`;
    partitions.set(device, partition);
  }
  return undefined;
}
