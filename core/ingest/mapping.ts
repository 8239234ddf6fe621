import { type UnmappedReading, type UnmappedReason } from '../contracts/ingest';
import { type Source } from '../contracts/source';
import { type SensorName, type Task } from '../contracts/task';
import { type Micros } from '../contracts/time';
import { deviceIdOf, isAbsent, isReading, labelOf, numberOf, quoted } from './fields';
import { microsOfValue } from './instants';
import { parseMessage } from './message';
import { type MappingPlan, planMapping, type SensorPlace, type TimePlace, type WidePattern } from './plan';
import { fieldPath, isRecord, type Pointer, valueAt } from './pointer';
import { type MappedMessage, type MappedReading } from './readings';

/** Turns messages of one source into readings of one task. */
export interface Mapping {
  /** @param topic the MQTT topic that the message came by. */
  ofBytes(bytes: Uint8Array, topic?: string): MappedMessage;
  /** @param value a message that was parsed from JSON. */
  ofJson(value: unknown, topic?: string): MappedMessage;
}

/**
 * Work out how a source's messages become readings of a task.
 * @throws FedloopError `InvalidConfig` where the source's parts exclude one another.
 */
export function compileMapping(source: Source, task: Task): Mapping {
  const plan = planMapping(source, task);
  const ofJson: Mapping['ofJson'] = (value, topic) => new MessageMapper(plan, value, topic).map();
  return {
    ofBytes: (bytes, topic) => {
      const parsed = parseMessage(bytes);
      return 'reject' in parsed ? { readings: [], rejects: [parsed.reject] } : ofJson(parsed.value, topic);
    },
    ofJson,
  };
}

/** A place where one reading is looked for: an element of an array, then the whole message. */
interface Element {
  readonly value: unknown;
  /** JSON Pointer of it in the message. */
  readonly path: string;
}

/** Maps one message. What cannot be mapped is put among the rejects, and the method that found it gives undefined. */
class MessageMapper {
  private readonly readings: MappedReading[] = [];
  private readonly rejects: UnmappedReading[] = [];

  constructor(
    private readonly plan: MappingPlan,
    private readonly message: unknown,
    private readonly topic: string | undefined,
  ) {}

  map(): MappedMessage {
    const { each } = this.plan;
    if (each === undefined) this.mapElement({ value: this.message, path: '/' });
    else this.mapArray(each);
    return { readings: this.readings, rejects: this.rejects };
  }

  private mapArray(each: Pointer): void {
    const elements = valueAt(this.message, each);
    if (!Array.isArray(elements)) {
      this.reject('no-readings', each.text, `${quoted(elements)} is no array`);
      return;
    }
    if (elements.length === 0) this.reject('no-readings', each.text, 'the array is empty');
    for (const [index, value] of elements.entries()) {
      this.mapElement({ value, path: fieldPath(each.text, index) });
    }
  }

  private mapElement(element: Element): void {
    const { deviceId: place, each } = this.plan;
    if (each === undefined && !isRecord(element.value)) {
      this.reject('not-an-object', '/', `the message is ${kindOf(element.value)}`);
    } else if ('prefix' in place) this.mapWide(element, place);
    else {
      const deviceId = 'topicPart' in place ? this.idOfTopic(place.topicPart) : this.idAt(element, place);
      if (deviceId !== undefined) this.mapReading(element, deviceId);
    }
  }

  private mapReading(element: Element, deviceId: string): void {
    const common = this.commonOf(element);
    if (common === undefined) return;
    const { target } = this.plan;
    const { value, pointer } = this.findSensor(element, target);
    const reading = this.targetOf(value, target, pathIn(element, pointer));
    if (reading !== undefined)
      this.readings.push({ deviceId, ...common, values: [reading, ...common.values] });
  }

  /** Each field that the pattern fits is a reading of the device whose id stands in its name. */
  private mapWide(element: Element, pattern: WidePattern): void {
    const { target } = this.plan;
    const { value: container, pointer } = this.findSensor(element, target);
    const path = pathIn(element, pointer);
    const fields = isRecord(container) ? fieldsLike(container, pattern) : [];
    if (fields.length === 0) {
      const detail = `no field with a value is named ${pattern.prefix}*${pattern.suffix}`;
      this.reject('no-readings', path, detail);
      return;
    }
    const common = this.commonOf(element);
    if (common === undefined) return;
    for (const { name, id, value } of fields) {
      const field = fieldPath(path, name);
      const deviceId = this.acceptId(id, field);
      const place = pattern.inner.text === '/' ? field : field + pattern.inner.text;
      const reading =
        deviceId === undefined ? undefined : this.targetOf(valueAt(value, pattern.inner), target, place);
      if (deviceId === undefined || reading === undefined) continue;
      this.readings.push({ deviceId, ...common, values: [reading, ...common.values] });
    }
  }

  private idOfTopic(part: number): string | undefined {
    const id = this.topic?.split('/')[part];
    if (id !== undefined) return this.acceptId(id, '/');
    this.reject('missing-device-id', '/', `the topic ${quoted(this.topic)} has no part ${part}`);
    return undefined;
  }

  private idAt(element: Element, pointer: Pointer): string | undefined {
    const value = this.find(element, pointer);
    if (!isAbsent(value)) return this.acceptId(value, pathIn(element, pointer));
    this.reject('missing-device-id', pathIn(element, pointer), 'there is no device id');
    return undefined;
  }

  private acceptId(value: unknown, path: string): string | undefined {
    const id = deviceIdOf(value);
    if (id === undefined) this.reject('bad-device-id', path, `${quoted(value)} is no device id`);
    return id;
  }

  /** All of a reading but its device and the target's value. */
  private commonOf(element: Element): CommonParts | undefined {
    const micros = this.timestampOf(element);
    if (micros === undefined) return undefined;
    const recordMicros = this.recordTimeOf(element);
    if (recordMicros === undefined) return undefined;
    const { pointer, isNamed } = this.plan.label;
    const mark = this.find(element, pointer);
    const label = isAbsent(mark) ? undefined : labelOf(mark);
    if (isNamed && label === undefined && !isAbsent(mark)) {
      this.reject('bad-label', pathIn(element, pointer), `${quoted(mark)} is neither true nor false`);
      return undefined;
    }
    return { micros, recordMicros: orUndefined(recordMicros), label, ...this.covariatesOf(element) };
  }

  /** NaN where the message has none. */
  private recordTimeOf(element: Element): Micros | undefined {
    const { pointer, unit, isNamed } = this.plan.recordTimestamp;
    if (isNamed) return this.instantAt(element, this.plan.recordTimestamp, 'bad-record-timestamp');
    const value = this.find(element, pointer);
    return isAbsent(value) ? NaN : microsOfValue(value, unit);
  }

  private timestampOf(element: Element): Micros | undefined {
    const place = this.plan.timestamp;
    const micros = this.instantAt(element, place, 'bad-timestamp');
    if (!Number.isNaN(micros)) return micros;
    this.reject('missing-timestamp', pathIn(element, place.pointer), 'there is no timestamp');
    return undefined;
  }

  /** NaN where the message has none there. */
  private instantAt(element: Element, place: TimePlace, reason: UnmappedReason): Micros | undefined {
    const value = this.find(element, place.pointer);
    if (isAbsent(value)) return NaN;
    const micros = microsOfValue(value, place.unit);
    if (!Number.isNaN(micros)) return micros;
    this.reject(reason, pathIn(element, place.pointer), `${quoted(value)} is no time in ${place.unit}`);
    return undefined;
  }

  private covariatesOf(element: Element): Pick<CommonParts, 'values' | 'badValues'> {
    const { covariates } = this.plan;
    const values: number[] = [];
    const badValues: SensorName[] = [];
    for (const place of covariates) {
      const { value } = this.findSensor(element, place);
      const reading = isAbsent(value) ? NaN : readingOf(value, place);
      if (Number.isNaN(reading) && !isAbsent(value)) badValues.push(place.sensor);
      values.push(reading);
    }
    return { values, badValues };
  }

  private targetOf(value: unknown, place: SensorPlace, path: string): number | undefined {
    const { sensor } = place;
    const reading = isAbsent(value) ? NaN : readingOf(value, place);
    if (!Number.isNaN(reading)) return reading;
    if (isAbsent(value)) this.reject(`missing-${sensor}`, path, `there is no ${sensor}`);
    else this.reject(`bad-${sensor}`, path, `${quoted(value)} is no reading`);
    return undefined;
  }

  private findSensor(element: Element, { pointer, otherwise }: SensorPlace): Found {
    const value = this.find(element, pointer);
    if (otherwise === undefined || !isAbsent(value)) return { value, pointer };
    const other = this.find(element, otherwise);
    return isAbsent(other) ? { value, pointer } : { value: other, pointer: otherwise };
  }

  private find(element: Element, pointer: Pointer): unknown {
    const value = valueAt(element.value, pointer);
    return isAbsent(value) && element.value !== this.message ? valueAt(this.message, pointer) : value;
  }

  private reject(reason: UnmappedReason, path: string, detail: string): void {
    this.rejects.push({ reason, path, detail });
  }
}

interface Found {
  readonly value: unknown;
  readonly pointer: Pointer;
}

/** `values` without the target's. */
type CommonParts = Omit<MappedReading, 'deviceId'>;

interface WideField {
  readonly name: string;
  readonly id: string;
  readonly value: unknown;
}

/** A field that is null has no value, and so is no reading. */
function fieldsLike(
  container: Readonly<Record<string, unknown>>,
  { prefix, suffix, otherNames }: WidePattern,
): readonly WideField[] {
  return Object.entries(container)
    .filter(([name, value]) => name.startsWith(prefix) && name.endsWith(suffix) && !isAbsent(value))
    .filter(([name]) => name.length > prefix.length + suffix.length && !otherNames.has(name))
    .map(([name, value]) => ({ name, id: name.slice(prefix.length, name.length - suffix.length), value }));
}

/** A reading in the sensor's unit; NaN where the value is none. A number that means "no reading" keeps its size, so that it still does. */
function readingOf(value: unknown, { scale, offset, missing }: SensorPlace): number {
  const number = numberOf(value);
  if (missing.includes(number)) return number;
  const reading = scale === 1 ? number + offset : number * scale + offset;
  return isReading(reading) ? reading : NaN;
}

function pathIn(element: Element, { text }: Pointer): string {
  if (text === '/') return element.path;
  return element.path === '/' ? text : element.path + text;
}

function orUndefined(micros: Micros): Micros | undefined {
  return Number.isNaN(micros) ? undefined : micros;
}

function kindOf(value: unknown): string {
  return Array.isArray(value)
    ? 'an array: name it in source.each, as /, where its elements are readings'
    : quoted(value);
}
