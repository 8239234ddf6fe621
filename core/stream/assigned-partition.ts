import { type Logger } from '../platform/log';
import { FloodWatch } from './backpressure/flood';
import { CHECKPOINT_INTERVAL_MS, MAX_CHECKPOINT_INTERVAL_MS } from './limits';
import { type PartitionOwner } from './ownership/partition-owner';

/** A partition of this worker: its owner, and when something last happened, by the wall clock in milliseconds. */
export class AssignedPartition {
  lastRecordAt = Date.now();
  private lastCheckpointAt = Date.now();
  private readonly flood = new FloodWatch();

  constructor(readonly owner: PartitionOwner) {}

  get number(): number {
    return this.owner.partition;
  }

  /** Whether no record has come for so long, and there are windows that this may close. */
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

  /** Warns once a flood of new device ids, not once an event. */
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
}
