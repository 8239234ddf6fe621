import { ROW_LIMITS } from '../../contracts/limits';

const NEWLINE = 0x0a;

/**
 * Bytes in any pieces → lines without their ends, some at a time. A last line without an end counts when it is not empty. Of a line longer than
 * any event one byte more than the limit is kept, so that it is rejected as too large.
 */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  maxBytes: number = ROW_LIMITS.eventBytes,
): AsyncGenerator<readonly Uint8Array[]> {
  const begun = new BegunLine(maxBytes);
  for await (const piece of pieces) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, start)) {
      lines.push(begun.endWith(piece.subarray(start, end)));
      start = end + 1;
    }
    if (lines.length > 0) yield lines;
    begun.add(piece.subarray(start));
  }
  if (begun.length > 0) yield [begun.endWith(new Uint8Array(0))];
}

/** A line whose end has not come yet. */
class BegunLine {
  private parts: Uint8Array[] = [];
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  get length(): number {
    return this.bytes;
  }

  add(part: Uint8Array): void {
    const room = this.maxBytes + 1 - this.bytes;
    if (room <= 0 || part.length === 0) return;
    this.parts.push(part.subarray(0, room));
    this.bytes += Math.min(part.length, room);
  }

  endWith(part: Uint8Array): Uint8Array {
    if (this.bytes === 0) return part;
    this.add(part);
    const line = Buffer.concat(this.parts);
    this.parts = [];
    this.bytes = 0;
    return line;
  }
}
