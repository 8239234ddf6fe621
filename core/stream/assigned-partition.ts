import { type Logger } from '../platform/log';
import { FloodWatch } from './backpressure/flood';
import { type Counts } from './engine';
import { CHECKPOINT_INTERVAL_MS, MAX_CHECKPOINT_INTERVAL_MS } from './limits';
import { type PartitionOwner } from './ownership/partition-owner';

export interface PartitionStatus {
  readonly partition: number;
  readonly epoch: number;
  /** Next source offset to take in, and records behind it that the partition is known to hold. */
  readonly offset: number;
  readonly lag: number;
  /** Event time in microseconds; null before the first event. */
  readonly watermark: number | null;
  readonly openWindows: number;
  readonly versions: readonly string[];
  readonly counts: Readonly<Counts>;
}

/** A partition of this worker: its owner, and when something last happened, by the wall clock in milliseconds. */
export class AssignedPartition {
  lastRecordAt = Date.now();
  private lastCheckpointAt = Date.now();
  private readonly flood = new FloodWatch();

  constructor(readonly owner: PartitionOwner) {}

  get number(): number {
    return this.owner.partition;
  }

  /** Nothing has come for so long, and there are windows that this may close. */
  isQuiet(idleMillis: number): boolean {
    return Date.now() - this.lastRecordAt >= idleMillis && this.owner.idleClosingDue;
  }

  get isCheckpointDue(): boolean {
    const interval = this.owner.checkpointPays ? CHECKPOINT_INTERVAL_MS : MAX_CHECKPOINT_INTERVAL_MS;
    return this.owner.checkpointDue && Date.now() - this.lastCheckpointAt >= interval;
  }

  /** @returns the source offset that can be committed. */
  checkpoint(): Promise<number> {
    this.lastCheckpointAt = Date.now();
    return this.owner.checkpoint();
  }

  /** Once a flood of new device ids, not once an event. */
  warnOfFlood(log: Logger): void {
    const { devices, counts } = this.owner.engine;
    const fresh = this.flood.look(devices.size, Date.now());
    if (fresh === undefined) return;
    const { malformed } = counts;
    log.warn(
      { partition: this.number, new: fresh, devices: devices.size, malformed },
      'a flood of new device ids',
    );
  }

  status(): PartitionStatus {
    const { owner } = this;
    const { engine } = owner;
    return {
      partition: owner.partition,
      epoch: owner.epoch,
      offset: owner.next,
      lag: Math.max(0, owner.highWatermark - owner.next),
      watermark: Number.isFinite(engine.watermark) ? engine.watermark : null,
      openWindows: engine.open.size,
      versions: engine.versions.map(({ version }) => version),
      counts: { ...engine.counts },
    };
  }
}
