import { FedloopError } from '../contracts/errors';
import { type Source, type SourceFields, type TimeUnit } from '../contracts/source';
import { type SensorName, type Task } from '../contracts/task';
import { parsePointer, type Pointer } from './pointer';

/** Where a source has each part of an event, with every default filled in. */
export interface MappingPlan {
  readonly each: Pointer | undefined;
  readonly deviceId: DeviceIdPlace;
  readonly timestamp: TimePlace;
  readonly recordTimestamp: TimePlace & UsualPlace;
  readonly label: UsualPlace & { readonly pointer: Pointer };
  readonly target: SensorPlace;
  /** In the task's order. */
  readonly covariates: readonly SensorPlace[];
}

/** A path, a part of the MQTT topic, or what a field's name has between `prefix` and `suffix`. */
export type DeviceIdPlace = Pointer | { readonly topicPart: number } | WidePattern;

export interface WidePattern {
  readonly prefix: string;
  readonly suffix: string;
  /** Where the reading stands in such a field; `/` is the field itself. */
  readonly inner: Pointer;
  /** Names of the same object that stand for something else. */
  readonly otherNames: ReadonlySet<string>;
}

export interface TimePlace {
  readonly pointer: Pointer;
  readonly unit: TimeUnit;
}

/** Where the source does not name a field itself, another program's field of that name is no fault: what is there is passed over. */
interface UsualPlace {
  readonly isNamed: boolean;
}

export interface SensorPlace {
  readonly sensor: SensorName;
  /** Of the target of a wide source: the object whose fields are the readings. */
  readonly pointer: Pointer;
  /** Looked at where `pointer` leads to nothing. */
  readonly otherwise: Pointer | undefined;
  readonly scale: number;
  readonly offset: number;
  /** Numbers that mean "no reading"; they keep their size, so that they are recognised later. */
  readonly missing: readonly number[];
}

/**
 * @throws FedloopError `InvalidConfig` where the source's parts exclude one another.
 */
export function planMapping(source: Source, task: Task): MappingPlan {
  const { fields = {}, each, wide } = source;
  const timestamp = timePlace(fields.timestamp ?? '/timestamp');
  const recordTimestamp = {
    ...timePlace(fields.record_timestamp ?? '/record_timestamp'),
    isNamed: fields.record_timestamp !== undefined,
  };
  const label = { pointer: parsePointer(fields.label ?? '/label'), isNamed: fields.label !== undefined };
  const isWide = wide !== undefined;
  const target = sensorPlace(fields, task.target, isWide ? '/' : `/${task.target.sensor}`, isWide);
  const covariates = task.covariates.map((covariate) =>
    sensorPlace(fields, covariate, `/${covariate.sensor}`, true),
  );
  const named = [
    timestamp.pointer,
    recordTimestamp.pointer,
    label.pointer,
    ...covariates.map(({ pointer }) => pointer),
  ];
  return {
    each: each === undefined ? undefined : parsePointer(each),
    deviceId: isWide ? widePattern(wide, fields, target.pointer, named) : idPlace(source),
    timestamp,
    recordTimestamp,
    label,
    target,
    covariates,
  };
}

function idPlace({ fields, mqtt }: Source): DeviceIdPlace {
  const field = fields?.device_id ?? '/device_id';
  if (typeof field === 'string') return parsePointer(field);
  if ('path' in field) return parsePointer(field.path);
  if (mqtt !== undefined) return field;
  throw new FedloopError(
    'InvalidConfig',
    'a device id can be a part of the topic only where MQTT is the source',
    {
      hint: 'Give source.fields.device_id as a path, such as /meta/id.',
    },
  );
}

function widePattern(
  wide: string,
  fields: SourceFields,
  container: Pointer,
  named: readonly Pointer[],
): WidePattern {
  if (fields.device_id !== undefined) {
    throw new FedloopError('InvalidConfig', 'with source.wide the device id is what * stands for', {
      hint: 'Remove source.fields.device_id.',
    });
  }
  const [prefix = '', behind = ''] = wide.split('*');
  const slash = behind.indexOf('/');
  const suffix = slash < 0 ? behind : behind.slice(0, slash);
  const inner = parsePointer(slash < 0 ? '/' : behind.slice(slash));
  const otherNames = named
    .filter(({ tokens }) => container.tokens.every((token, at) => tokens[at] === token))
    .flatMap(({ tokens }) => tokens.slice(container.tokens.length, container.tokens.length + 1));
  return { prefix, suffix, inner, otherNames: new Set(otherNames) };
}

function timePlace(field: NonNullable<SourceFields['timestamp']>): TimePlace {
  if (typeof field === 'string') return { pointer: parsePointer(field), unit: 'iso' };
  return { pointer: parsePointer(field.path), unit: field.unit };
}

/** @param isAlone a canonical event may have its target under `data` too. */
function sensorPlace(
  fields: SourceFields,
  { sensor, missing = [] }: Task['covariates'][number],
  usual: string,
  isAlone: boolean,
): SensorPlace {
  const field = fields[sensor] ?? usual;
  const { path, scale, offset } = typeof field === 'object' ? field : { path: field, scale: 1, offset: 0 };
  const otherwise = field === usual && !isAlone ? parsePointer('/data') : undefined;
  return { sensor, pointer: parsePointer(path), otherwise, scale, offset, missing };
}
