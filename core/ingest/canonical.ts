import { type Sensors, sensorsOf } from '../contracts/task';
import { isoOfMicros, MICROS_PER_SECOND, type Micros } from '../contracts/time';
import { type MappedReading } from './readings';

/** Digits of a second's fraction, and `Z`. */
const FRACTION_DIGITS = 6;

/** Writes readings of a fleet as events of `edge-iiot-stream` (`core/contracts/events.ts`). */
export class EventWriter {
  /** `,"temperature":` and so on, in the task's order. */
  private readonly keys: readonly string[];
  /** The latest whole second and its text without `Z`: events of one second come together. */
  private second = NaN;
  private secondText = '';

  constructor(sensors: Sensors) {
    this.keys = sensorsOf(sensors).map((sensor) => `,"${sensor}":`);
  }

  /** JSON of one event. A value that is not there has no field. */
  write({ deviceId, micros, recordMicros, label, values }: MappedReading): string {
    let text = `{"device_id":${JSON.stringify(deviceId)},"timestamp":"${this.timeOf(micros)}"`;
    for (let index = 0; index < values.length; index += 1) {
      const value = values[index] ?? NaN;
      if (!Number.isNaN(value)) text += (this.keys[index] ?? '') + String(value);
    }
    if (label !== undefined) text += `,"label":${label}`;
    if (recordMicros !== undefined) text += `,"record_timestamp":"${isoOfMicros(recordMicros)}"`;
    return `${text}}`;
  }

  /** As `isoOfMicros` has it. */
  private timeOf(micros: Micros): string {
    const second = Math.floor(micros / MICROS_PER_SECOND) * MICROS_PER_SECOND;
    if (second !== this.second) {
      this.second = second;
      this.secondText = isoOfMicros(second).slice(0, -1);
    }
    if (micros === second) return `${this.secondText}Z`;
    return `${this.secondText}.${String(micros - second).padStart(FRACTION_DIGITS, '0')}Z`;
  }
}
