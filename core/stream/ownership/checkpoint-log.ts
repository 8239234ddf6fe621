import {
  type CheckpointMessage,
  checkpointMessageSchema,
  type CheckpointPiece,
  type Decision,
  isPieceKey,
} from '../../contracts/checkpoints';
import { type IncomingRecord } from '../../platform/kafka';
import { readPiece } from './checkpoint-chunks';
import { parseJson } from '../../contracts/validation';

/** A decision and where it stands in the log. */
export interface LoggedDecision {
  readonly logOffset: number;
  readonly decision: Decision;
}

export interface StoredCheckpoint {
  readonly epoch: number;
  readonly sequence: number;
  /** Offset in the log of its last piece. */
  readonly logOffset: number;
  readonly data: Buffer;
}

interface PieceInLog {
  readonly logOffset: number;
  readonly head: CheckpointPiece;
  readonly bytes: Buffer;
}

/**
 * `stream-checkpoints` of one partition folded into what holds: pure, in log order. Void messages (see the contract) and
 * such as cannot be understood change nothing.
 */
export class PartitionLog {
  private claim: { readonly epoch: number; readonly worker: string } | undefined;
  private readonly valid: LoggedDecision[] = [];
  /** Keys of all pieces that the log holds, with their epochs. */
  private readonly pieceKeys = new Map<string, number>();
  private readonly incoming = new Map<string, PieceInLog>();
  private newest: StoredCheckpoint | undefined;

  /** Epoch of the highest claim; −1 before the first. */
  get epoch(): number {
    return this.claim?.epoch ?? -1;
  }

  /** Who made the highest claim. */
  get worker(): string | undefined {
    return this.claim?.worker;
  }

  /**
   * Whether any owner so far may have taken in an event: each logs with which past the devices began before the first one. One that lost the
   * partition before that, as when several workers start at once, has written no rows.
   */
  get mayHaveBeenRead(): boolean {
    return this.newest !== undefined || this.valid.some(({ decision }) => decision.type === 'history');
  }

  get decisions(): readonly LoggedDecision[] {
    return this.valid;
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

  /** The newest checkpoint that is whole. */
  latestCheckpoint(): StoredCheckpoint | undefined {
    return this.newest;
  }

  /** Whether `epoch` wrote the newest checkpoint that is whole. */
  hasCheckpointOf(epoch: number): boolean {
    return this.newest?.epoch === epoch;
  }

  /** Keys of pieces that an epoch before `epoch` wrote: of no use once the new owner has a checkpoint of its own. */
  keysOfPiecesBefore(epoch: number): readonly string[] {
    return [...this.pieceKeys].filter(([, of]) => of < epoch).map(([key]) => key);
  }

  private applyMessage(logOffset: number, message: CheckpointMessage): void {
    if (message.type === 'claim') {
      this.claim = { epoch: logOffset, worker: message.worker };
      return;
    }
    if (message.epoch >= this.epoch) this.valid.push({ logOffset, decision: message });
  }

  private applyPiece(logOffset: number, key: string, value: Buffer): void {
    const piece = readPiece(value);
    if (piece === undefined || piece.head.epoch < this.epoch) return;
    const { head } = piece;
    this.pieceKeys.set(key, head.epoch);
    if (this.newest !== undefined && !isAfter(head, this.newest)) return;
    // A copy: the view would hold on to everything that was fetched with it.
    this.incoming.set(key, { logOffset, head, bytes: Buffer.from(piece.bytes) });
    const group = [...this.incoming.values()].filter(
      (other) => other.head.epoch === head.epoch && other.head.sequence === head.sequence,
    );
    if (group.length < head.pieces) return;
    this.newest = stored(group);
    for (const [known, other] of this.incoming) if (!isAfter(other.head, head)) this.incoming.delete(known);
  }
}

type Place = Pick<CheckpointPiece, 'epoch' | 'sequence'>;

function isAfter(one: Place, other: Place): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.sequence > other.sequence);
}

function stored(group: readonly PieceInLog[]): StoredCheckpoint {
  const inOrder = [...group].sort((a, b) => a.head.index - b.head.index);
  return {
    epoch: inOrder[0]?.head.epoch ?? -1,
    sequence: inOrder[0]?.head.sequence ?? -1,
    logOffset: Math.max(...inOrder.map(({ logOffset }) => logOffset)),
    data: Buffer.concat(inOrder.map(({ bytes }) => bytes)),
  };
}

/** The logs of all partitions, as far as they have been read. */
export class PartitionLogs {
  private readonly byPartition = new Map<number, PartitionLog>();

  of(partition: number): PartitionLog {
    const known = this.byPartition.get(partition) ?? new PartitionLog();
    this.byPartition.set(partition, known);
    return known;
  }

  apply({ partition, offset, key, value }: IncomingRecord): void {
    this.of(partition).apply(offset, key?.toString() ?? '', value);
  }
}
