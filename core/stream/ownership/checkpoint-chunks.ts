import { crc32 } from '@node-rs/crc32';
import { checkpointKeys, type CheckpointPiece, checkpointPieceSchema } from '../../contracts/checkpoints';
import { parseJson } from '../../contracts/validation';
import { CHECKPOINT_PIECE_BYTES } from '../limits';

const LENGTH_BYTES = 4;

/** `uint32 LE length of the head | head as JSON | body`. */
export function encodeFrame(head: object, ...body: readonly Buffer[]): Buffer {
  const text = Buffer.from(JSON.stringify(head), 'utf8');
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...body]);
}

/** @returns the head, not yet validated: undefined for bytes that are no frame. `body` is a view. */
export function decodeFrame(frame: Buffer): { readonly head: unknown; readonly body: Buffer } {
  const start = frame.length < LENGTH_BYTES ? Infinity : LENGTH_BYTES + frame.readUInt32LE(0);
  const head = start > frame.length ? undefined : parseJson(frame.subarray(LENGTH_BYTES, start));
  return { head, body: frame.subarray(start) };
}

/** Cut state into pieces that fit a message each, with their heads. */
export function piecesOf(
  state: Buffer,
  of: Pick<CheckpointPiece, 'partition' | 'epoch' | 'sequence'>,
): { readonly key: string; readonly head: CheckpointPiece; readonly value: Buffer }[] {
  const pieces = Math.ceil(state.length / CHECKPOINT_PIECE_BYTES);
  const checksum = crc32(state);
  return Array.from({ length: pieces }, (_, index) => {
    const head: CheckpointPiece = { type: 'checkpoint', ...of, index, pieces, crc32: checksum };
    const bytes = state.subarray(index * CHECKPOINT_PIECE_BYTES, (index + 1) * CHECKPOINT_PIECE_BYTES);
    const key = checkpointKeys.piece(of.partition, of.epoch, of.sequence, index);
    return { key, head, value: encodeFrame(head, bytes) };
  });
}

/** Whether these are the bytes that the checkpoint was written with. */
export function isIntact(state: Buffer, { crc32: checksum }: CheckpointPiece): boolean {
  return checksum === undefined || crc32(state) === checksum;
}

/** @returns undefined for bytes that are no piece; `bytes` is a view. */
export function readPiece(
  value: Buffer,
): { readonly head: CheckpointPiece; readonly bytes: Buffer } | undefined {
  const { head, body: bytes } = decodeFrame(value);
  const piece = checkpointPieceSchema.safeParse(head);
  return piece.success ? { head: piece.data, bytes } : undefined;
}
