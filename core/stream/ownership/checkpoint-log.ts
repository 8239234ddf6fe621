import {
  type CheckpointMessage,
  checkpointMessageSchema,
  type CheckpointPiece,
  type Decision,
  isPieceKey,
  type ResetRequest,
} from '../../contracts/checkpoints';
import { TOPICS } from '../../contracts/topics';
import { parseJson } from '../../contracts/validation';
import { type Kafka, type Tail } from '../../platform/kafka';
import { type TailOptions } from '../../platform/kafka/types';
import { isIntact, readPiece } from './checkpoint-chunks';

/** A decision and its offset in the log. */
export interface LoggedDecision {
  readonly logOffset: number;
  readonly decision: Decision;
}

type StartDecision = Extract<Decision, { type: 'start' }>;

interface StoredCheckpoint {
  readonly epoch: number;
  readonly sequence: number;
  readonly data: Buffer;
}

/** Offsets from one up to another, which is not one of them. */
interface OffsetRange {
  readonly from: number;
  readonly until: number;
}

type PieceInLog = NonNullable<ReturnType<typeof readPiece>>;

/**
 * `stream-checkpoints` of one partition folded into what holds: pure, in log order. Void messages (see the contract) and
 * messages that cannot be understood change nothing.
 */
export class PartitionLog {
  private highestClaim = -1;
  private readonly valid: LoggedDecision[] = [];
  /** Requests to set the watermark back that no owner has answered. */
  private readonly openResets = new Map<string, ResetRequest>();
  /** Keys of all pieces that the log has, with their epochs. */
  private readonly pieceKeys = new Map<string, number>();
  private readonly incoming = new Map<string, PieceInLog>();
  private newest: StoredCheckpoint | undefined;
  /** The one before the newest, should that be unusable. */
  private former: StoredCheckpoint | undefined;
  private damaged = 0;
  private firstStart: StartDecision | undefined;
  private readonly logIds = new Set<string>();

  /** Epoch of the highest claim; −1 before the first. */
  get epoch(): number {
    return this.highestClaim;
  }

  /**
   * Whether some owner so far may have read an event. Before its first event each owner logs the past that the devices began with; one
   * that lost the partition before that, as when several workers start at once, has written no rows.
   */
  get mayHaveBeenRead(): boolean {
    return this.newest !== undefined || this.valid.some(({ decision }) => decision.type === 'history');
  }

  /**
   * The log of events that was read here; empty where nobody has said.
   * @param now the log that the topic is. Where nobody has begun to read, or any owner has read it, it is the right one: a claim that names
   * another is forged, or was made for a log that is gone.
   */
  logRead(now: string): string {
    const hasBegun = this.mayHaveBeenRead || this.firstStart !== undefined;
    if (!hasBegun || this.logIds.has(now)) return now;
    return [...this.logIds].at(-1) ?? '';
  }

  /** Where the fleet began to read the partition; undefined while that is not decided. */
  get start(): StartDecision | undefined {
    return this.firstStart;
  }

  /** The part of a range of offsets whose loss does not stand in this log: an owner may begin before a loss that an earlier one noted. */
  withoutLosses(from: number, until: number): readonly OffsetRange[] {
    const losses = this.valid
      .flatMap(({ decision }) => (decision.type === 'gap' ? decision : []))
      .sort((one, other) => one.from - other.from);
    const left: OffsetRange[] = [];
    let next = from;
    for (const loss of losses) {
      if (loss.from > next && next < until) left.push({ from: next, until: Math.min(loss.from, until) });
      next = Math.max(next, loss.until);
    }
    return next < until ? [...left, { from: next, until }] : left;
  }

  get decisions(): readonly LoggedDecision[] {
    return this.valid;
  }

  get resetRequests(): readonly ResetRequest[] {
    return [...this.openResets.values()];
  }

  apply(logOffset: number, key: string, value: Buffer | null): void {
    if (value === null) {
      this.pieceKeys.delete(key);
      this.incoming.delete(key);
      return;
    }
    if (isPieceKey(key)) {
      this.applyPiece(logOffset, key, value);
      return;
    }
    const parsed = checkpointMessageSchema.safeParse(parseJson(value));
    if (parsed.success) this.applyMessage(logOffset, parsed.data);
  }

  /** The newest checkpoint of which all pieces are there. */
  latestCheckpoint(): StoredCheckpoint | undefined {
    return this.newest;
  }

  /** Checkpoints to recover from, the newest first. */
  checkpoints(): readonly StoredCheckpoint[] {
    return [this.newest, this.former].filter((stored) => stored !== undefined);
  }

  /** Pieces that are none, and checkpoints whose bytes are not those that were written: passed over. */
  get damagedCheckpoints(): number {
    return this.damaged;
  }

  /** Keys of pieces that an epoch before `epoch` wrote: of no use once the new owner has a checkpoint of its own. */
  keysOfPiecesBefore(epoch: number): readonly string[] {
    return [...this.pieceKeys].filter(([, of]) => of < epoch).map(([key]) => key);
  }

  private applyMessage(logOffset: number, message: CheckpointMessage): void {
    if (message.type === 'claim') {
      this.highestClaim = logOffset;
      if (message.log !== undefined) this.logIds.add(message.log);
    } else if (message.type === 'reset-request') this.openResets.set(message.request, message);
    // An epoch is the offset of the latest claim: an older one is void, and a higher one is forged.
    else if (message.epoch === this.epoch) {
      this.valid.push({ logOffset, decision: message });
      if (message.type === 'start') this.firstStart ??= message;
      if (message.type === 'watermark') this.openResets.delete(message.request);
    }
  }

  private applyPiece(logOffset: number, key: string, value: Buffer): void {
    const piece = readPiece(value);
    if (piece === undefined) this.damaged += 1;
    if (piece?.head.epoch !== this.epoch) return;
    const { head } = piece;
    // Each checkpoint before this one took a record behind the claim.
    if (head.sequence >= logOffset - head.epoch || head.index >= head.pieces) return;
    this.pieceKeys.set(key, head.epoch);
    if (this.newest !== undefined && !isAfter(head, this.newest)) return;
    // A copy: a view would keep everything that was fetched with it in memory.
    this.incoming.set(key, { head, bytes: Buffer.from(piece.bytes) });
    const group = [...this.incoming.values()].filter(
      (other) => other.head.epoch === head.epoch && other.head.sequence === head.sequence,
    );
    if (group.length < head.pieces) return;
    const inOrder = group.sort((a, b) => a.head.index - b.head.index);
    const data = Buffer.concat(inOrder.map(({ bytes }) => bytes));
    if (isIntact(data, head)) {
      this.former = this.newest;
      this.newest = { epoch: head.epoch, sequence: head.sequence, data };
    } else this.damaged += 1;
    for (const [known, other] of this.incoming) if (!isAfter(other.head, head)) this.incoming.delete(known);
  }
}

type Place = Pick<CheckpointPiece, 'epoch' | 'sequence'>;

function isAfter(one: Place, other: Place): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.sequence > other.sequence);
}

/** The logs of all partitions, as far as they have been read. */
export class PartitionLogs {
  private readonly byPartition = new Map<number, PartitionLog>();

  of(partition: number): PartitionLog {
    const known = this.byPartition.get(partition) ?? new PartitionLog();
    this.byPartition.set(partition, known);
    return known;
  }

  /**
   * Where a partition ended when the fleet began to read the topic: 0 for one that was added later. undefined before the fleet has begun. Where
   * several workers began at once, the lowest holds: it leaves nothing out.
   */
  endAtStart(partition: number): number | undefined {
    const { starts } = this;
    return starts.length === 0 ? undefined : Math.min(...starts.map(({ ends }) => ends[partition] ?? 0));
  }

  /**
   * Where a partition began when the fleet began to read the topic: 0 for one that was added later. undefined where nobody knows: the fleet has
   * not begun, or an earlier release has not written it down. Where several workers began at once, the lowest holds.
   */
  beginAtStart(partition: number): number | undefined {
    const { starts } = this;
    // A fleet that read all of its partitions from 0 on has not written down a start.
    if (starts.length === 0)
      return [...this.byPartition.values()].some(({ mayHaveBeenRead }) => mayHaveBeenRead) ? 0 : undefined;
    const known = starts.flatMap(({ begins, ends }) =>
      partition >= ends.length ? [0] : (begins?.[partition] ?? []),
    );
    return known.length === 0 ? undefined : Math.min(...known);
  }

  private get starts(): readonly StartDecision[] {
    return [...this.byPartition.values()].flatMap(({ start }) => start ?? []);
  }

  /** Read `stream-checkpoints` from its beginning; resolves once everything in it now has been applied. */
  async follow(
    kafka: Kafka,
    {
      isWanted = () => true,
      ...options
    }: Pick<TailOptions, 'whenReplaced'> & { readonly isWanted?: (key: string) => boolean } = {},
  ): Promise<Tail> {
    const tail = await kafka.tail({
      topic: TOPICS.checkpoints.name,
      from: 'start',
      ...options,
      onRecords: (records) => {
        for (const record of records) {
          const key = record.key?.toString() ?? '';
          if (isWanted(key)) this.of(record.partition).apply(record.offset, key, record.value);
        }
      },
    });
    await tail.caughtUp;
    return tail;
  }
}
