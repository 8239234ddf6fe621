import { MAX_CHECKPOINT_INTERVAL_MS } from '../contracts/checkpoints';
import { type LeaseReport } from '../contracts/evaluation';
import { type StreamSettings } from '../contracts/settings';
import { type Micros, MICROS_PER_MILLI } from '../contracts/time';
import { type Deployments } from '../model/deployments';
import { type FetchedFrom, gapSentence, logGap, type LogGap } from '../platform/kafka/log-gap';
import { type Logger } from '../platform/log';
import { FloodWatch } from './backpressure/flood';
import { CHECKPOINT_INTERVAL_MS } from './limits';
import { type PartitionOwner } from './ownership/partition-owner';
import { type StreamMetrics } from './metrics';

type IdleSettings = Pick<StreamSettings, 'idleMillis' | 'futureMicros'>;

/** Going on would pass over events whose offsets were read before. */
const NOT_READ =
  'it is not read; bring the old one back with the files of its brokers and restart the stream workers, or start anew under another fleet name';

interface Parts {
  readonly log: Logger;
  readonly metrics: Pick<StreamMetrics, 'lost'>;
  readonly deployments: Pick<Deployments, 'eventTopic'>;
}

/** Nobody measures tomorrow: an event up to now may be right, whoever else is silent. */
function believedUntil({ futureMicros }: IdleSettings): Micros {
  return Date.now() * MICROS_PER_MILLI + futureMicros;
}

/** A partition of this worker: its owner, and when something last happened, by a clock that nobody sets, in milliseconds. */
export class AssignedPartition {
  lastRecordAt = performance.now();
  private lastCheckpointAt = performance.now();
  private readonly flood = new FloodWatch();
  /** Pieces of work under way. */
  private working = 0;

  constructor(
    readonly owner: PartitionOwner,
    private readonly parts: Parts,
    /** Which log the topic of events was when the partition was claimed; empty where the broker tells no ids. */
    readonly logId: string,
  ) {}

  /** Where it stands. */
  get report(): LeaseReport['partitions'][number] {
    const { partition, next: offset, lag, isSourceReplaced } = this.owner;
    return { partition, offset, lag, ...(isSourceReplaced ? { isReplaced: true } : {}) };
  }

  get number(): number {
    return this.owner.partition;
  }

  /** Whether events, or an idle closing, are being judged. */
  get isWorking(): boolean {
    return this.working > 0;
  }

  /** Whether no record of the present has come for so long, and there are windows that this may close. */
  isQuiet(settings: IdleSettings): boolean {
    const isSilent = performance.now() - this.lastRecordAt >= settings.idleMillis;
    return isSilent && this.owner.isIdleClosingDue(believedUntil(settings));
  }

  closeIdle(settings: IdleSettings): Promise<void> {
    return this.noting(() => this.owner.closeIdle(believedUntil(settings)));
  }

  /** Do what may judge events, and note when some had their place in the present. Those of a fast clock keep no partition awake. */
  async noting(work: () => Promise<void>): Promise<void> {
    const before = this.owner.engine.ordinaryEvents;
    this.working += 1;
    await work().finally(() => (this.working -= 1));
    if (this.owner.engine.ordinaryEvents !== before) this.lastRecordAt = performance.now();
  }

  get isCheckpointDue(): boolean {
    const interval = this.owner.checkpointPays ? CHECKPOINT_INTERVAL_MS : MAX_CHECKPOINT_INTERVAL_MS;
    return this.owner.checkpointDue && performance.now() - this.lastCheckpointAt >= interval;
  }

  /** @returns the source offset that can be committed. */
  checkpoint(): Promise<number> {
    this.lastCheckpointAt = performance.now();
    return this.owner.checkpoint();
  }

  /** @returns false when the fetched records are of another log than was read. What is missing of ours is counted and said. */
  async continuesWith(fetched: FetchedFrom): Promise<boolean> {
    const gap = logGap(this.owner.next, fetched);
    if (gap !== undefined) await this.note(gap);
    return !this.owner.isSourceReplaced;
  }

  /** Say what happened. Lost events are counted, and passed over, once that stands with the decisions: no successor counts them again. */
  async note(gap: LogGap): Promise<void> {
    const { log, metrics, deployments } = this.parts;
    if (gap.kind === 'replaced') this.owner.isSourceReplaced = true;
    else {
      let lost = 0;
      await this.owner.run(async () => {
        lost = await this.owner.passOver(gap);
      });
      if (lost === 0) return;
      metrics.lost.inc({ partition: this.number }, lost);
    }
    log.error({ partition: this.number }, gapSentence(deployments.eventTopic, this.number, gap, NOT_READ));
  }

  /** Warns once a flood of new device ids, not once an event. */
  warnOfFlood(log: Logger): void {
    const { devices, counts } = this.owner.engine;
    const fresh = this.flood.look(devices.size, performance.now());
    if (fresh === undefined) return;
    const { malformed } = counts;
    log.warn(
      { partition: this.number, new: fresh, devices: devices.size, malformed },
      'a flood of new device ids',
    );
  }
}
