import {
  type CheckpointMessage,
  checkpointMessageSchema,
  type CheckpointPiece,
  type Decision,
} from '../contracts/checkpoints';
import { parseJson } from './json';

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
  readonly key: string;
  readonly logOffset: number;
  readonly piece: CheckpointPiece;
}

/**
 * `stream-checkpoints` of one partition folded into what holds: pure, in log order. Void messages (see the contract) and
 * such as cannot be understood change nothing.
 */
export class PartitionLog {
  private claim: { readonly epoch: number; readonly worker: string } | undefined;
  private readonly valid: LoggedDecision[] = [];
  private readonly pieces = new Map<string, PieceInLog>();
  private claims = 0;

  /** Epoch of the highest claim; −1 before the first. */
  get epoch(): number {
    return this.claim?.epoch ?? -1;
  }

  /** Who made the highest claim. */
  get worker(): string | undefined {
    return this.claim?.worker;
  }

  /** Whether anybody held the partition before the highest claim. */
  get hadOwnerBefore(): boolean {
    return this.claims > 1;
  }

  get decisions(): readonly LoggedDecision[] {
    return this.valid;
  }

  apply(logOffset: number, key: string, value: Buffer | null): void {
    if (value === null) {
      this.pieces.delete(key);
      return;
    }
    const parsed = checkpointMessageSchema.safeParse(parseJson(value));
    if (parsed.success) this.applyMessage(logOffset, key, parsed.data);
  }

  /** The newest checkpoint that is whole. */
  latestCheckpoint(): StoredCheckpoint | undefined {
    return this.wholeCheckpoints()
      .map((group) => stored(group))
      .sort((a, b) => b.epoch - a.epoch || b.sequence - a.sequence)[0];
  }

  /** Whether a checkpoint that `epoch` wrote is whole. */
  hasCheckpointOf(epoch: number): boolean {
    return this.wholeCheckpoints().some(([first]) => first?.piece.epoch === epoch);
  }

  /** Keys of pieces that an epoch before `epoch` wrote: of no use once the new owner has a checkpoint of its own. */
  keysOfPiecesBefore(epoch: number): readonly string[] {
    return [...this.pieces.values()].filter(({ piece }) => piece.epoch < epoch).map(({ key }) => key);
  }

  private wholeCheckpoints(): (readonly PieceInLog[])[] {
    const groups = new Map<string, PieceInLog[]>();
    for (const entry of this.pieces.values()) {
      const name = `${entry.piece.epoch}/${entry.piece.sequence}`;
      groups.set(name, [...(groups.get(name) ?? []), entry]);
    }
    return [...groups.values()].filter((group) => group.length === group[0]?.piece.pieces);
  }

  private applyMessage(logOffset: number, key: string, message: CheckpointMessage): void {
    if (message.type === 'claim') {
      this.claim = { epoch: logOffset, worker: message.worker };
      this.claims += 1;
      return;
    }
    if (message.epoch < this.epoch) return;
    if (message.type === 'checkpoint') this.pieces.set(key, { key, logOffset, piece: message });
    else this.valid.push({ logOffset, decision: message });
  }
}

function stored(group: readonly PieceInLog[]): StoredCheckpoint {
  const inOrder = [...group].sort((a, b) => a.piece.index - b.piece.index);
  return {
    epoch: inOrder[0]?.piece.epoch ?? -1,
    sequence: inOrder[0]?.piece.sequence ?? -1,
    logOffset: Math.max(...inOrder.map(({ logOffset }) => logOffset)),
    data: Buffer.concat(inOrder.map(({ piece }) => Buffer.from(piece.data_base64, 'base64'))),
  };
}
