import { type Sensors, sensorsOf } from '../contracts/task';
import { isoOfMicros } from '../contracts/time';
import { type MappedReading } from './readings';

/** Writes readings of a fleet as events of `edge-iiot-stream` (`core/contracts/events.ts`). */
export class EventWriter {
  /** `,"temperature":` and so on, in the task's order. */
  private readonly keys: readonly string[];

  constructor(sensors: Sensors) {
    this.keys = sensorsOf(sensors).map((sensor) => `,"${sensor}":`);
  }

  /** JSON of one event. A value that is not there has no field. */
  write({ deviceId, micros, recordMicros, label, values }: MappedReading): string {
    let text = `{"device_id":${JSON.stringify(deviceId)},"timestamp":"${isoOfMicros(micros)}"`;
    for (const [index, value] of values.entries()) {
      if (!Number.isNaN(value)) text += `${this.keys[index] ?? ''}${value}`;
    }
    if (label !== undefined) text += `,"label":${label}`;
    if (recordMicros !== undefined) text += `,"record_timestamp":"${isoOfMicros(recordMicros)}"`;
    return `${text}}`;
  }
}
