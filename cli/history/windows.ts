import { createHash } from 'node:crypto';
import { type HistoryChunk } from '../../core/contracts/blocks';
import { covariateColumns, type Task } from '../../core/contracts/task';
import { type Micros } from '../../core/contracts/time';
import { MAX_UPDATE_BYTES } from '../../core/contracts/topics';

/** A device's means in one window, in the sensors' units; covariates in the task's order. */
export interface HistoryWindow {
  readonly deviceId: string;
  readonly start: Micros;
  readonly target: number;
  readonly covariates: readonly (number | null)[];
  /** Variance of the target's readings inside the window; null with one reading. */
  readonly variance: number | null;
}

/** What the stream workers have made of a partition so far. */
export interface LivePartition {
  /** Every window that ends here or before is closed; −Infinity before the first closing. */
  readonly closedUntil: Micros;
  /** Whether a window of the device has a live row. */
  readonly hasRow: (deviceId: string, start: Micros) => boolean;
}

/** What became of the windows of an import. `found` is the sum of the others. */
export interface WindowCounts {
  found: number;
  written: number;
  /** In the history that was imported before: the first import of a window counts. */
  known: number;
  /** With a live row: that one counts. */
  live: number;
  /** Not closed yet by the stream workers, which will write them. */
  open: number;
  /** Older than what is remembered of a device. */
  old: number;
}

interface Means {
  readonly target: number;
  readonly covariates: readonly (number | null)[];
}

interface Device {
  readonly means: Map<Micros, Means>;
  stddev: number | null;
}

/** Windows of the past by device, of one partition. Histories add up: what was imported before stays, and its means count. */
export class PartitionHistory {
  readonly counts: WindowCounts = { found: 0, written: 0, known: 0, live: 0, open: 0, old: 0 };
  private readonly devices = new Map<string, Device>();
  /** Of the devices of this import: sum of the variances inside their windows, and how many. */
  private readonly variances = new Map<string, { sum: number; windows: number }>();
  /** Newest window of all. */
  private last: Micros = -Infinity;
  /** Newest window that there can be; what lies too far behind it is not kept. */
  private newest: Micros = -Infinity;

  /**
   * @param depth windows that are kept of a device, back from the newest of all.
   * @param before chunks of the snapshot that the log has.
   */
  constructor(
    private readonly task: Task,
    private readonly depth: number,
    before: readonly HistoryChunk[],
    private readonly live: LivePartition,
  ) {
    if (this.hasClosed) this.newest = live.closedUntil - task.windowMicros;
    for (const chunk of before) if (chunk.window_micros === task.windowMicros) this.addChunk(chunk);
  }

  /** Say of every device which window is its newest, before the first is added. */
  reach(start: Micros): void {
    if (!this.hasClosed) this.newest = Math.max(this.newest, start);
  }

  add({ deviceId, start, target, covariates, variance }: HistoryWindow): void {
    const { counts, live } = this;
    counts.found += 1;
    const device = this.devices.get(deviceId);
    if (start < this.oldest) counts.old += 1;
    else if (device?.means.has(start) === true) counts.known += 1;
    else if (live.hasRow(deviceId, start)) counts.live += 1;
    // Before the first closing nobody knows which windows will be written; where one is, sites take it instead.
    else if (this.hasClosed && start >= live.closedUntil) counts.open += 1;
    else {
      counts.written += 1;
      this.last = Math.max(this.last, start);
      this.deviceOf(deviceId).means.set(start, { target, covariates });
      if (variance === null) return;
      const { sum, windows } = this.variances.get(deviceId) ?? { sum: 0, windows: 0 };
      this.variances.set(deviceId, { sum: sum + variance, windows: windows + 1 });
    }
  }

  /**
   * The snapshot of everything, in chunks below the broker's limit; undefined where nothing was added. The same windows have the same
   * snapshot.
   */
  snapshot(): readonly HistoryChunk[] | undefined {
    if (this.counts.written === 0) return undefined;
    for (const [deviceId, { sum, windows }] of this.variances)
      this.deviceOf(deviceId).stddev ??= Math.sqrt(sum / windows);
    const devices = [...this.devices]
      .map(([deviceId, device]) => this.columnsOf(deviceId, device))
      .filter(({ avg }) => avg.length > 0)
      .sort((a, b) => (a.device_id < b.device_id ? -1 : 1));
    return chunksOf(devices, this.last, this.task.windowMicros);
  }

  private get hasClosed(): boolean {
    return Number.isFinite(this.live.closedUntil);
  }

  private get oldest(): Micros {
    return this.newest - (this.depth - 1) * this.task.windowMicros;
  }

  private addChunk({ devices, last_window_start: last }: HistoryChunk): void {
    const columns = covariateColumns(this.task);
    this.last = Math.max(this.last, last);
    this.newest = Math.max(this.newest, last);
    for (const { device_id, avg, stddev, ...means } of devices) {
      const device = this.deviceOf(device_id);
      device.stddev = stddev;
      for (const [back, target] of avg.entries()) {
        if (target === null) continue;
        const covariates = columns.map((name) => means[name]?.[back] ?? null);
        device.means.set(last - back * this.task.windowMicros, { target, covariates });
      }
    }
  }

  private deviceOf(deviceId: string): Device {
    const device = this.devices.get(deviceId) ?? { means: new Map<Micros, Means>(), stddev: null };
    this.devices.set(deviceId, device);
    return device;
  }

  /** Newest first, up to the oldest that there is. */
  private columnsOf(deviceId: string, { means, stddev }: Device): DeviceColumns {
    const { windowMicros } = this.task;
    const starts = [...means.keys()].filter((start) => start >= this.oldest);
    const length = starts.length === 0 ? 0 : (this.last - Math.min(...starts)) / windowMicros + 1;
    const at = (back: number): Means | undefined => means.get(this.last - back * windowMicros);
    const covariates = covariateColumns(this.task).map((name, index) => {
      return [name, Array.from({ length }, (_, back) => at(back)?.covariates[index] ?? null)] as const;
    });
    return {
      device_id: deviceId,
      avg: Array.from({ length }, (_, back) => at(back)?.target ?? null),
      stddev,
      ...Object.fromEntries(covariates),
    };
  }
}

type DeviceColumns = HistoryChunk['devices'][number];

/** The devices by order, in as few chunks as fit; the snapshot's name is a hash over all of them. */
function chunksOf(
  devices: readonly DeviceColumns[],
  last: Micros,
  windowMicros: Micros,
): readonly HistoryChunk[] {
  const hash = createHash('sha256').update(JSON.stringify([last, windowMicros]));
  const groups: DeviceColumns[][] = [[]];
  let bytes = 0;
  for (const device of devices) {
    const text = JSON.stringify(device);
    hash.update(text);
    if (bytes > 0 && bytes + text.length > MAX_UPDATE_BYTES) {
      groups.push([]);
      bytes = 0;
    }
    bytes += text.length;
    groups.at(-1)?.push(device);
  }
  const snapshot = hash.digest('hex');
  return groups.map((group) => ({
    type: 'history',
    snapshot,
    chunks: groups.length,
    last_window_start: last,
    window_micros: windowMicros,
    devices: group,
  }));
}
