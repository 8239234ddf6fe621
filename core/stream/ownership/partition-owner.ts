import { type RejectReason } from '../../contracts/blocks';
import { checkpointKeys, type CheckpointMessage, type Decision } from '../../contracts/checkpoints';
import { type MalformedDetail } from '../../contracts/events';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { type DeployedVersion } from '../../model/deployments';
import { type RawRecord } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { type PartitionLog } from './checkpoint-log';
import { type StartingPoint } from './claims';
import { LoggedDecisions, type SeedHistory } from './decisions';
import { piecesOf } from './checkpoint-chunks';
import { closeDueWindows, closeIdleWindows } from '../closing';
import { type PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { EVENTS_PER_STATE } from '../limits';
import { type Outbox } from './outbox';
import { analysisBlocks, type ClosedWindow, evaluationBlocks } from '../windows/rows';
import { ingestRecord, rejectMessage } from './source-records';
import { encodeState } from './state-codec';

/** What the owner of a partition works with. */
export interface OwnerContext {
  readonly partition: number;
  readonly epoch: number;
  readonly engine: PartitionEngine;
  readonly log: PartitionLog;
  readonly outbox: Outbox;
  readonly forecaster: Forecaster;
  /** Versions in force and settings as `model-deployments` has them now. */
  readonly inForce: () => readonly DeployedVersion[];
  /** Append to `stream-checkpoints` and wait until it has been read back; resolves with its offset. */
  readonly append: (key: string, message: CheckpointMessage) => Promise<number>;
  readonly seedHistory: SeedHistory;
  /** Hash of the newest snapshot for the partition that is in the log by now; null without one. */
  readonly latestSnapshot: () => Promise<string | null>;
  readonly onClosed: (window: ClosedWindow) => void;
  readonly onMalformed: (detail: MalformedDetail) => void;
  readonly logger: Logger;
}

/** The partition belongs to somebody else by now. */
export class OwnershipLost extends Error {
  override readonly name = 'OwnershipLost';
}

/**
 * One partition in this process's hands: feeds the engine, sends what comes out, logs decisions before they have
 * consequences, and writes checkpoints. All work goes through `run`, one piece at a time.
 */
export class PartitionOwner {
  /** Next source offset to take in. */
  next: number;
  /** Highest offset that the partition was known to hold. */
  highWatermark = 0;
  /** Kafka's timestamp of the latest record in milliseconds. */
  latestRecordMillis = NaN;
  private readonly rebuildUntil: number;
  private readonly decisions: LoggedDecisions;
  private tail: Promise<unknown> = Promise.resolve();
  private windowsSinceCheckpoint = 0;
  private bytesSinceCheckpoint = 0;
  private checkpointBytes = 0;
  private sequence = 0;
  private dropped = false;

  constructor(
    private readonly context: OwnerContext,
    private readonly start: StartingPoint,
  ) {
    this.next = start.rewind;
    this.rebuildUntil = start.next;
    this.decisions = new LoggedDecisions(context.engine, context.seedHistory, start.seeded);
    for (const logged of context.log.decisions)
      if (logged.logOffset >= start.decisionsUntil) this.decisions.apply(logged);
  }

  get partition(): number {
    return this.context.partition;
  }

  get epoch(): number {
    return this.context.epoch;
  }

  get engine(): PartitionEngine {
    return this.context.engine;
  }

  /** False once another claim stands in the log, or the partition was given up. */
  get isOwner(): boolean {
    return !this.dropped && this.context.log.epoch === this.epoch;
  }

  /** Whether every record that the partition is known to hold has been taken in. */
  get isCaughtUp(): boolean {
    return this.next >= Math.max(this.highWatermark, this.start.decideFrom, this.rebuildUntil);
  }

  get checkpointDue(): boolean {
    return this.windowsSinceCheckpoint > 0 && this.next >= this.rebuildUntil;
  }

  /** Whether enough has been read since the last checkpoint for its size not to matter. */
  get checkpointPays(): boolean {
    return this.bytesSinceCheckpoint >= EVENTS_PER_STATE * this.checkpointBytes;
  }

  /** Whether there are windows that a quiet partition may close. */
  get idleClosingDue(): boolean {
    const { engine } = this.context;
    return this.isCaughtUp && engine.isDueAt(engine.latestEvent);
  }

  /** Give the partition up: work that is still queued does nothing any more. */
  drop(): void {
    this.dropped = true;
  }

  /** Do `work` after all work before it; skipped when the partition is lost by then. */
  run(work: () => Promise<void>): Promise<void> {
    const done = this.tail.then(async () => {
      if (!this.isOwner) return;
      try {
        await work();
      } catch (thrown) {
        this.drop();
        if (!(thrown instanceof OwnershipLost)) throw thrown;
        this.context.logger.warn(
          { partition: this.partition, epoch: this.epoch },
          'the partition was taken over',
        );
      }
    });
    // A failure goes to whoever asked for the work; the next piece must not see it a second time.
    this.tail = done.catch(() => undefined);
    return done;
  }

  /** Take in records in the order of the log; those dealt with before are passed over. */
  async ingest(records: readonly RawRecord[]): Promise<void> {
    const { engine } = this.context;
    for (const record of records) {
      const offset = Number(record.offset);
      if (offset < this.next) continue;
      const recordMicros = Number(record.timestamp) * MICROS_PER_MILLI;
      if (offset < this.rebuildUntil) {
        engine.rebuild(record.value, recordMicros, offset);
        this.next = offset + 1;
        continue;
      }
      if (!this.decisions.hasSeeded) await this.seed();
      if (this.decisions.isIdleClosingDue(offset)) await this.repeatIdleClosings(offset);
      const verdict = ingestRecord(engine, record, recordMicros, offset);
      this.bytesSinceCheckpoint += Math.max(0, record.valueLength ?? record.value?.length ?? 0);
      this.next = offset + 1;
      if (verdict !== 'windowed') this.reject(record, verdict);
      else if (engine.isDue()) await this.emit(closeDueWindows(engine, this.context.forecaster));
    }
    this.latestRecordMillis = Number(records.at(-1)?.timestamp ?? NaN);
    if (this.decisions.isIdleClosingDue(this.next)) await this.repeatIdleClosings(this.next);
  }

  /** Log which versions came into force or left it, and act on it. */
  async followVersions(): Promise<void> {
    if (this.next < this.start.decideFrom || this.next < this.rebuildUntil) return;
    const { engine, partition, epoch } = this.context;
    const wanted = this.context.inForce();
    for (const { version, model, stage } of wanted) {
      if (engine.versions.some((active) => active.version === version && active.until === Infinity)) continue;
      const from = engine.firstUnseenWindow(stage.not_before);
      const residual = model.metadata.residualStddev;
      await this.decide(checkpointKeys.activation(partition, version, epoch, from), {
        type: 'activation',
        partition,
        epoch,
        version,
        from_window: from,
        residual_stddev: residual,
      });
      engine.activate(version, residual, from);
      this.context.logger.info({ partition, version, from }, 'version activated');
    }
    const leaving = engine.versions.filter(
      (active) => active.until === Infinity && !wanted.some(({ version }) => version === active.version),
    );
    for (const { version } of leaving) {
      const until = engine.firstUnforecastWindow();
      await this.decide(checkpointKeys.deactivation(partition, version, epoch, until), {
        type: 'deactivation',
        partition,
        epoch,
        version,
        until_window: until,
      });
      engine.deactivate(version, until);
      this.context.logger.info({ partition, version, until }, 'version deactivated');
    }
  }

  /** The partition has been quiet for the time-out: close what the largest event time allows, logged first. */
  async closeIdle(): Promise<void> {
    const { engine, partition, epoch } = this.context;
    if (!this.idleClosingDue) return;
    const offset = this.next;
    await this.decide(checkpointKeys.idle(partition, offset, epoch), {
      type: 'idle',
      partition,
      epoch,
      offset,
    });
    await this.emit(closeIdleWindows(engine, this.context.forecaster));
  }

  /** Write the state, once everything that it takes as written is. @returns the source offset that can be committed. */
  async checkpoint(): Promise<number> {
    const { engine, partition, epoch, log, outbox } = this.context;
    await outbox.settled();
    // Predecessors' pieces go once a checkpoint of ours is known to hold: were we frozen and replaced before that, they would
    // be all that our successor has.
    const stale = log.hasCheckpointOf(epoch) ? log.keysOfPiecesBefore(epoch) : [];
    const state = encodeState(engine, {
      next: this.next,
      rewind: engine.rewindOffset(this.next),
      decisions_until: this.decisionsTaken(),
    });
    for (const { head, value } of piecesOf(state, { partition, epoch, sequence: this.sequence })) {
      const key = checkpointKeys.piece(partition, epoch, head.sequence, head.index);
      outbox.push(TOPICS.checkpoints.name, { key, partition, value });
    }
    for (const key of stale) outbox.push(TOPICS.checkpoints.name, { key, partition, value: null });
    this.sequence += 1;
    this.windowsSinceCheckpoint = 0;
    this.bytesSinceCheckpoint = 0;
    this.checkpointBytes = state.length;
    await outbox.settled();
    return this.next;
  }

  private decisionsTaken(): number {
    const { pending } = this.decisions;
    const last = this.context.log.decisions.filter((logged) => !pending.includes(logged)).at(-1);
    return pending[0]?.logOffset ?? (last === undefined ? 0 : last.logOffset + 1);
  }

  /** Close again what was closed for idleness at or before `offset` the first time. */
  private repeatIdleClosings(offset: number): Promise<void> {
    return this.emit(this.decisions.closeIdle(offset, this.context.forecaster));
  }

  private async seed(): Promise<void> {
    const { partition, epoch } = this.context;
    const snapshot = await this.context.latestSnapshot();
    const decision: Decision = { type: 'history', partition, epoch, snapshot };
    const logOffset = await this.decide(checkpointKeys.history(partition, epoch), decision);
    this.decisions.apply({ logOffset, decision });
  }

  /** @returns the decision's offset in the log. */
  private async decide(key: string, decision: Decision): Promise<number> {
    const logOffset = await this.context.append(key, decision);
    if (!this.isOwner)
      throw new OwnershipLost(`partition ${this.partition} has a higher epoch than ${this.epoch}`);
    return logOffset;
  }

  private async emit(closing: AsyncGenerator<ClosedWindow>): Promise<void> {
    for await (const window of closing) {
      const { partition, epoch, outbox } = this.context;
      for (const block of analysisBlocks(window, epoch)) this.send(TOPICS.analysis.name, partition, block);
      for (const block of evaluationBlocks(window, epoch))
        this.send(TOPICS.evaluations.name, partition, block);
      this.windowsSinceCheckpoint += 1;
      this.context.onClosed(window);
      await outbox.whenRoom();
    }
  }

  private send(topic: string, partition: number, block: unknown): void {
    // As bytes right away: texts that wait for the broker would be moved about by the garbage collector.
    const value = Buffer.from(JSON.stringify(block), 'utf8');
    this.context.outbox.push(topic, { key: String(partition), partition, value });
  }

  private reject(record: RawRecord, reason: RejectReason): void {
    const { engine, outbox, onMalformed } = this.context;
    if (reason === 'malformed' && engine.detail !== undefined) onMalformed(engine.detail);
    outbox.push(
      TOPICS.rejects.name,
      rejectMessage(record, { ...this.context, reason, detail: engine.detail }),
    );
  }
}
