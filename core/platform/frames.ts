import { endianness } from 'node:os';
import { FedloopError } from '../contracts/errors';
import { parseJson } from '../contracts/validation';

/**
 * Frame of a message that carries weights: `uint32 LE header length | JSON header | Float32 LE numbers`.
 * Weights travel as raw numbers because JSON would triple them.
 */
export function encodeFrame(header: unknown, numbers: Float32Array): Buffer {
  assertLittleEndian();
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const frame = Buffer.allocUnsafe(4 + text.length + numbers.byteLength);
  frame.writeUInt32LE(text.length, 0);
  text.copy(frame, 4);
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).copy(frame, 4 + text.length);
  return frame;
}

/**
 * @returns the header, not yet validated, and the numbers in memory of their own.
 * @throws FedloopError `InvalidModel` for bytes that are not a frame.
 */
export function decodeFrame(frame: Buffer): { readonly header: unknown; readonly numbers: Float32Array } {
  assertLittleEndian();
  const headerLength = frame.length >= 4 ? frame.readUInt32LE(0) : Number.POSITIVE_INFINITY;
  const bodyStart = 4 + headerLength;
  if (bodyStart > frame.length || (frame.length - bodyStart) % 4 !== 0) {
    throw new FedloopError('InvalidModel', `a weights frame of ${frame.length} bytes is cut short`);
  }
  const header = parseJson(frame.subarray(4, bodyStart));
  if (header === undefined)
    throw new FedloopError('InvalidModel', 'a weights frame has a header that is not JSON');
  const numbers = new Float32Array((frame.length - bodyStart) / 4);
  Buffer.from(numbers.buffer).set(frame.subarray(bodyStart));
  return { header, numbers };
}

function assertLittleEndian(): void {
  if (endianness() !== 'LE')
    throw new FedloopError('Internal', 'weights frames need a little-endian machine');
}
