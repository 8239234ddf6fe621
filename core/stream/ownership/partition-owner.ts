import { type Micros, MICROS_PER_MILLI } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { inTurn } from '../../platform/in-turn';
import { type RawRecord } from '../../platform/kafka';
import { type ExpiredRecords } from '../../platform/kafka/log-gap';
import { closeDueWindows, type Closing } from '../closing';
import { type PartitionEngine } from '../engine';
import { EVENTS_PER_STATE } from '../limits';
import { type OpenedAgain } from '../watermark-resets';
import { blocksOf } from '../windows/rows';
import { piecesOf } from './checkpoint-chunks';
import { type Claim } from './claims';
import { LoggedDecisions } from './decisions';
import { snapshotGone } from './lost-decisions';
import { Refusals } from './refusals';
import { ingestRecord, resetFence } from './source-records';
import { encodeState } from './state-codec';
import { type OwnerParts } from './owner-parts';
import {
  decisionsSince,
  gapDecision,
  historyDecision,
  idleDecision,
  type Keyed,
  resetDecision,
  versionDecisions,
} from './owner-decisions';

/** Another worker owns the partition by now. */
class OwnershipLost extends Error {
  override readonly name = 'OwnershipLost';
}

/**
 * The owner of one partition: feeds the engine, sends what comes out, logs decisions before they have consequences, and
 * writes checkpoints. All work goes through `run`, one piece at a time.
 */
export class PartitionOwner {
  readonly engine: PartitionEngine;
  readonly epoch: number;
  readonly partition: number;
  /** Next source offset to read. */
  next: number;
  /** Highest offset that the partition was known to have. */
  highWatermark: number;
  /** The log is not the one that was read: nothing more is. */
  isSourceReplaced = false;
  /** Kafka's timestamp of the latest record in milliseconds. */
  latestRecordMillis = NaN;
  /** Events before this source offset only rebuild open windows: everything else that came of them is in the engine. */
  private readonly rebuildUntil: number;
  /** From this source offset on this owner may decide. */
  private readonly decideFrom: number;
  private readonly decisions: LoggedDecisions;
  private readonly refusals: Refusals;
  private readonly inTurn = inTurn();
  private windowsSinceCheckpoint = 0;
  private bytesSinceCheckpoint = 0;
  private checkpointBytes = 0;
  private sequence = 0;
  private dropped = false;

  constructor(
    private readonly claim: Claim,
    private readonly parts: OwnerParts,
  ) {
    const { engine, epoch, start, log } = claim;
    this.highWatermark = claim.highWatermark;
    this.engine = engine;
    this.epoch = epoch;
    this.partition = engine.partition;
    this.refusals = new Refusals(engine, epoch, parts);
    this.next = start.rewind;
    this.rebuildUntil = start.next;
    this.decideFrom = Math.max(start.next, start.decideFrom);
    const seedHistory = (seeded: PartitionEngine, snapshot: string | null): void => {
      if (!parts.pasts.seed(seeded, snapshot)) throw snapshotGone(this.partition);
    };
    this.decisions = new LoggedDecisions(engine, seedHistory, start.seeded, (reset) =>
      this.fenceReset(reset),
    );
    const { decisions_until: since } = start;
    for (const logged of decisionsSince(log.decisions, since, this.decideFrom)) this.decisions.apply(logged);
  }

  /** False once another claim stands in the log, or the partition was dropped. */
  get isOwner(): boolean {
    return !this.dropped && this.claim.log.epoch === this.epoch;
  }

  /** Records that the partition is known to have and that were not read yet. */
  get lag(): number {
    return Math.max(0, this.highWatermark - this.next);
  }

  get checkpointDue(): boolean {
    return this.windowsSinceCheckpoint > 0 && this.next >= this.rebuildUntil;
  }

  /** Whether enough has been read since the last checkpoint for its size not to matter. */
  get checkpointPays(): boolean {
    return this.bytesSinceCheckpoint >= EVENTS_PER_STATE * this.checkpointBytes;
  }

  /**
   * Whether everything has been read, and there are windows that a quiet partition may close, or events aside that it may believe.
   * @param believed as in `closeIdle`.
   */
  isIdleClosingDue(believed: Micros): boolean {
    const isCaughtUp = this.next >= Math.max(this.highWatermark, this.decideFrom);
    const { engine } = this;
    return isCaughtUp && (engine.isDueAt(engine.latestEvent) || engine.ahead.aside.earliest <= believed);
  }

  /** Give the partition up: work that is still queued is skipped. */
  drop(): void {
    this.dropped = true;
  }

  /** Do `work` after all work before it; skipped when the partition is lost by then. */
  run(work: () => Promise<void>): Promise<void> {
    return this.inTurn(async () => {
      if (!this.isOwner) return;
      try {
        await work();
      } catch (thrown) {
        this.drop();
        if (!(thrown instanceof OwnershipLost)) throw thrown;
        const { partition, epoch } = this;
        this.parts.log.warn({ partition, epoch }, 'the partition was taken over');
      }
    });
  }

  /**
   * Read records in the order of the log; those read before are passed over.
   * @param next offset behind all that was fetched: behind the last record there may be markers, or records of aborted transactions.
   */
  async ingest(records: readonly RawRecord[], next: number): Promise<void> {
    const { engine } = this;
    for (const record of records) {
      const offset = Number(record.offset);
      if (offset < this.next) continue;
      const recordMicros = Number(record.timestamp) * MICROS_PER_MILLI;
      if (offset < this.rebuildUntil) {
        if (record.undecodable === undefined) engine.rebuild(record.value, recordMicros, offset);
        this.next = offset + 1;
        continue;
      }
      if (!this.decisions.hasSeeded) await this.seed();
      if (this.decisions.isIdleClosingDue(offset)) await this.closeIdleUpTo(offset);
      const verdict = ingestRecord(engine, record, recordMicros, offset);
      this.bytesSinceCheckpoint += Math.max(0, record.valueLength ?? record.value?.length ?? 0);
      this.next = offset + 1;
      if (verdict !== 'windowed' && verdict !== 'aside') this.refusals.refuse(record, verdict, engine.detail);
      else if (engine.isDue()) await this.emit(closeDueWindows(engine, this.parts.forecaster));
      if (engine.ahead.hasSettled) this.refusals.refuseSettled();
    }
    this.next = Math.max(this.next, next);
    this.latestRecordMillis = Number(records.at(-1)?.timestamp ?? this.latestRecordMillis);
    if (this.decisions.isIdleClosingDue(this.next)) await this.closeIdleUpTo(this.next);
  }

  /** Log that the topic let these events go before they were read, and read on behind them. @returns how many the log did not have yet. */
  async passOver({ from, until }: ExpiredRecords): Promise<number> {
    const lost = this.claim.log.withoutLosses(from, until);
    for (const range of lost) await this.decide(gapDecision(range, this));
    this.next = Math.max(this.next, until);
    return lost.reduce((sum, range) => sum + range.until - range.from, 0);
  }

  /** Activate versions that came into force, and deactivate those that left it. */
  async followVersions(): Promise<void> {
    if (this.next < this.decideFrom) return;
    for (const keyed of versionDecisions(this.engine, this.parts.deployments.inForce(), this)) {
      await this.decide(keyed);
      const { decision } = keyed;
      this.parts.log.info(
        decision,
        `version ${decision.type === 'activation' ? 'activated' : 'deactivated'}`,
      );
    }
  }

  /**
   * The partition has been quiet for the time-out: close what the largest event time allows, logged first.
   * @param believed events aside count when their time is not after it, since nobody is left to confirm them.
   */
  async closeIdle(believed: Micros = -Infinity): Promise<void> {
    if (!this.isIdleClosingDue(believed)) return;
    const keyed = idleDecision(this, this.engine.ahead.waiting > 0 ? believed : undefined);
    await this.decide(keyed);
    await this.closeIdleUpTo(keyed.decision.offset);
  }

  /** Answer requests to set the watermark back, one at a time: each may change what the next one finds. */
  async followResets(): Promise<void> {
    const [asked] = this.claim.log.resetRequests;
    if (asked === undefined || this.next < this.decideFrom) return;
    const keyed = resetDecision(this.engine, asked, this);
    await this.decide(keyed);
    await this.closeIdleUpTo(keyed.decision.offset);
    this.parts.log.warn(keyed.decision, 'asked to set the watermark back');
  }

  /** Write the state, once every result that it counts as written is. @returns the source offset that can be committed. */
  async checkpoint(): Promise<number> {
    const { engine, partition, epoch, sequence } = this;
    const { log } = this.claim;
    const { outbox } = this.parts;
    await outbox.settled();
    // Predecessors' pieces are deleted once a checkpoint of ours is known to be whole: if we were frozen and replaced before that, our
    // successor would have nothing else.
    const stale = log.latestCheckpoint()?.epoch === epoch ? log.keysOfPiecesBefore(epoch) : [];
    const state = encodeState(engine, {
      next: this.next,
      rewind: engine.rewindOffset(this.next),
      decisions_until: this.decisionsApplied(),
    });
    for (const { key, value } of piecesOf(state, { partition, epoch, sequence }))
      outbox.push(TOPICS.checkpoints.name, { key, partition, value });
    for (const key of stale) outbox.push(TOPICS.checkpoints.name, { key, partition, value: null });
    this.sequence += 1;
    this.windowsSinceCheckpoint = 0;
    this.bytesSinceCheckpoint = 0;
    this.checkpointBytes = state.length;
    await outbox.settled();
    return this.next;
  }

  /**
   * From here on in the log the windows behind `after` come once more; a checkpoint stands before them, so that no successor writes the
   * fence again.
   */
  private async fenceReset(opened: OpenedAgain): Promise<void> {
    const { partition, epoch, engine } = this;
    const value = resetFence(opened, { partition, epoch, windowMicros: engine.settings.task.windowMicros });
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name])
      this.parts.outbox.push(topic, { key: String(partition), partition, value });
    await this.checkpoint();
  }

  /** Decisions logged before this offset of the log are in the engine. */
  private decisionsApplied(): number {
    const last = this.claim.log.decisions.at(-1);
    return this.decisions.firstPending ?? (last === undefined ? 0 : last.logOffset + 1);
  }

  /** Close the windows of the logged idle closings at or before this source offset. */
  private async closeIdleUpTo(offset: number): Promise<void> {
    await this.emit(this.decisions.closeIdle(offset, this.parts.forecaster));
    this.refusals.refuseSettled();
  }

  private async seed(): Promise<void> {
    await this.decide(historyDecision(await this.parts.pasts.latest(this.partition), this));
  }

  /** Log a decision, then apply it. */
  private async decide({ key, decision }: Keyed): Promise<void> {
    const logOffset = await this.parts.claims.append(key, decision);
    if (!this.isOwner)
      throw new OwnershipLost(`partition ${this.partition} has a higher epoch than ${this.epoch}`);
    this.decisions.apply({ logOffset, decision });
  }

  private async emit(closing: Closing): Promise<void> {
    const { partition, parts } = this;
    for await (const window of closing) {
      for (const { topic, block } of blocksOf(window, this.epoch)) {
        // As bytes right away: texts that wait for the broker would be moved about by the garbage collector.
        const value = Buffer.from(JSON.stringify(block), 'utf8');
        parts.outbox.push(topic, { key: String(partition), partition, value });
      }
      this.windowsSinceCheckpoint += 1;
      parts.metrics.rows.inc({ kind: 'analysis' }, window.analysis.device_id.length);
      parts.metrics.rows.inc({ kind: 'evaluation' }, window.evaluations.device_id.length);
      await parts.outbox.whenRoom();
    }
  }
}
