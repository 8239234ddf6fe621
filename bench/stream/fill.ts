import { MICROS_PER_MILLI, windowStartOf } from '../../core/contracts/time';
import { EventGenerator } from './generator';
import { LogWriter } from './log-writer';
import { RecordBatchWriter } from './record-batch';
import { partitionsOf, SETTINGS, type Workload } from './workload';

/** What was written, for checking what comes out. */
export interface Filled {
  readonly bytes: number;
  /** Start of the last window that each partition's watermark closes, in microseconds; null when it closes none. */
  readonly lastClosed: readonly (number | null)[];
  /** Events in windows that close, and rows that those windows have: one a device. */
  readonly eventsClosed: number;
  readonly rowsClosed: number;
}

/** Half of what a default broker takes in one batch: about 3,500 events. */
export const BATCH_BYTES = 512 * 1024;

/** Write all events of the workload to the topic. */
export async function fillTopic(
  broker: string,
  topic: string,
  workload: Workload,
  onProgress: (events: number) => void,
): Promise<Filled> {
  const generator = new EventGenerator(workload);
  const partitions = partitionsOf(generator.ids, workload.partitions);
  const tally = new Tally(workload.partitions);
  const log = await LogWriter.open(broker, topic);
  const batches = writers(workload.partitions);
  let sending: Promise<void> = Promise.resolve();
  let bytes = 0;
  const send = async (): Promise<void> => {
    await sending;
    bytes += batches.reduce((sum, writer) => sum + writer.size, 0);
    // The writers are empty again at once, and are filled while the broker has what they held.
    sending = log.append(batches);
    sending.catch(() => undefined);
  };
  try {
    for (let number = 0; number < workload.events; number += 1) {
      const { device, millis, arrival, text } = generator.event(number);
      const partition = partitions[device] ?? 0;
      const id = generator.ids[device] ?? '';
      tally.count(partition, device, millis);
      if (batches[partition]?.add(id, text, arrival) === true) continue;
      await send();
      onProgress(number);
      batches[partition]?.add(id, text, arrival);
    }
    await send();
    await sending;
  } finally {
    log.close();
  }
  return { bytes, ...tally.closed() };
}

export function writers(partitions: number): RecordBatchWriter[] {
  return Array.from({ length: partitions }, () => new RecordBatchWriter(BATCH_BYTES));
}

interface TalliedWindow {
  events: number;
  readonly devices: Set<number>;
}

/** Counts events and devices by partition and window. */
class Tally {
  private readonly windows: Map<number, TalliedWindow>[];
  private readonly latest: number[];

  constructor(partitions: number) {
    this.windows = Array.from({ length: partitions }, () => new Map<number, TalliedWindow>());
    this.latest = Array.from({ length: partitions }, () => -Infinity);
  }

  count(partition: number, device: number, millis: number): void {
    const micros = millis * MICROS_PER_MILLI;
    const start = windowStartOf(micros, SETTINGS.task.windowMicros);
    const windows = this.windows[partition];
    let window = windows?.get(start);
    if (window === undefined) {
      window = { events: 0, devices: new Set() };
      windows?.set(start, window);
    }
    window.events += 1;
    window.devices.add(device);
    if (micros > (this.latest[partition] ?? Infinity)) this.latest[partition] = micros;
  }

  closed(): Omit<Filled, 'bytes'> {
    let eventsClosed = 0;
    let rowsClosed = 0;
    const lastClosed = this.windows.map((windows, partition) => {
      const watermark = (this.latest[partition] ?? -Infinity) - SETTINGS.watermarkMicros;
      const closed = [...windows].filter(([start]) => start + SETTINGS.task.windowMicros <= watermark);
      for (const [, { events, devices }] of closed) {
        eventsClosed += events;
        rowsClosed += devices.size;
      }
      return closed.length === 0 ? null : Math.max(...closed.map(([start]) => start));
    });
    return { lastClosed, eventsClosed, rowsClosed };
  }
}
