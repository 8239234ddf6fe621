import { type CheckpointPiece, checkpointPieceSchema } from '../../contracts/checkpoints';
import { CHECKPOINT_PIECE_BYTES } from '../limits';
import { parseJson } from '../../contracts/validation';

const LENGTH_BYTES = 4;

/** State cut into pieces that a message can carry each, with what their heads say of them. */
export function piecesOf(
  state: Buffer,
  of: Pick<CheckpointPiece, 'partition' | 'epoch' | 'sequence'>,
): { readonly head: CheckpointPiece; readonly value: Buffer }[] {
  const pieces = Math.ceil(state.length / CHECKPOINT_PIECE_BYTES);
  return Array.from({ length: pieces }, (_, index) => {
    const head: CheckpointPiece = { type: 'checkpoint', ...of, index, pieces };
    const text = Buffer.from(JSON.stringify(head), 'utf8');
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(text.length);
    const bytes = state.subarray(index * CHECKPOINT_PIECE_BYTES, (index + 1) * CHECKPOINT_PIECE_BYTES);
    return { head, value: Buffer.concat([length, text, bytes]) };
  });
}

/** @returns undefined for bytes that are no piece; `bytes` is a view. */
export function readPiece(
  value: Buffer,
): { readonly head: CheckpointPiece; readonly bytes: Buffer } | undefined {
  const start = value.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + value.readUInt32LE(0);
  if (start > value.length) return undefined;
  const head = checkpointPieceSchema.safeParse(parseJson(value.subarray(LENGTH_BYTES, start)));
  return head.success ? { head: head.data, bytes: value.subarray(start) } : undefined;
}
