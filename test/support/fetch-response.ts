/** A Fetch response, version 11, with these record batches for partition 3 of one topic. */
export function fetchResponseOf(batches: Buffer): Buffer {
  const head = Buffer.alloc(4 + 2 + 4 + 4);
  head.writeInt32BE(1, 10);
  const topic = Buffer.from('\0\u0005topic', 'latin1');
  const partition = Buffer.alloc(4 + 4 + 2 + 3 * 8 + 4 + 4 + 4);
  partition.writeInt32BE(1, 0);
  partition.writeInt32BE(3, 4);
  partition.writeBigInt64BE(2n ** 60n, 10);
  partition.writeInt32BE(-1, 34);
  partition.writeInt32BE(-1, 38);
  partition.writeInt32BE(batches.length, 42);
  return Buffer.concat([head, topic, partition, batches]);
}
