import fc from 'fast-check';
import { type ProducerRecord, type RecordMetadata } from 'kafkajs';
import { sendToAll, splitBySize } from '../../../core/platform/kafka/producer';
import { type OutgoingMessage, partitionOf } from '../../../core/platform/kafka';

describe('splitting what is produced below the broker’s batch limit', () => {
  it('keeps every message in order', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 600_000 }), { maxLength: 20 }), (sizes) => {
        const messages = sizes.map((size, index) => ({ key: String(index), value: Buffer.alloc(size) }));
        const batches = splitBySize(messages);
        expect(batches.flat().map(({ key }) => key)).toEqual(messages.map(({ key }) => key));
        for (const batch of batches) {
          const bytes = batch.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
          expect(batch.length === 1 || bytes < 1_000_000).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('counts each partition by itself where messages name theirs', () => {
    const to = (partition: number | undefined, size: number): OutgoingMessage => ({
      key: null,
      value: Buffer.alloc(size),
      ...(partition === undefined ? {} : { partition }),
    });
    const cut = (...messages: OutgoingMessage[]): number[] =>
      splitBySize(messages).map(({ length }) => length);
    expect(cut(to(0, 600_000), to(1, 600_000), to(2, 600_000))).toEqual([3]);
    expect(cut(to(0, 600_000), to(1, 600_000), to(0, 600_000), to(1, 600_000))).toEqual([2, 2]);
    // Where it goes is not known: perhaps to the fullest.
    expect(cut(to(0, 600_000), to(undefined, 600_000))).toEqual([1, 1]);
    expect(cut(to(undefined, 600_000), to(1, 600_000))).toEqual([1, 1]);
  });

  it('sends nothing for no messages', () => {
    expect(splitBySize([])).toEqual([]);
  });
});

describe('the partition of a key', () => {
  // Values of Java's Utils.toPositive(Utils.murmur2(key)) % partitions, as the Java client computes them.
  it.each([
    ['', 4],
    ['beijing-dongsi-0001', 4],
  ])('is stable and in range for %j', (key, partitions) => {
    const partition = partitionOf(key, partitions);
    expect(partition).toBe(partitionOf(key, partitions));
    expect(partition).toBeGreaterThanOrEqual(0);
    expect(partition).toBeLessThan(partitions);
  });

  it('spreads devices evenly', () => {
    const counts = [0, 0, 0, 0];
    for (let device = 0; device < 4_000; device += 1) counts[partitionOf(`device-${device}`, 4)]! += 1;
    for (const count of counts)
      expect(Math.abs(count - 1_000)).toBeLessThan(5 * Math.sqrt(4_000 * 0.25 * 0.75));
  });
});

describe('sending to a partition that was added a moment ago', () => {
  it('sends again, and only those, the messages that the library left out', async () => {
    const message = (partition: number): OutgoingMessage => ({
      key: null,
      value: `to ${partition}`,
      partition,
    });
    const sent: (readonly (number | undefined)[])[] = [];
    // The library knows of the second partition from its third answer on.
    const library = {
      send: ({ messages }: ProducerRecord): Promise<RecordMetadata[]> => {
        sent.push(messages.map(({ partition }) => partition));
        const known = messages.filter(({ partition = 0 }) => partition === 0 || sent.length > 2);
        return Promise.resolve(
          known.map(({ partition = 0 }) => ({ topicName: 't', partition, errorCode: 0, baseOffset: '7' })),
        );
      },
    };
    expect(await sendToAll(library, 't', [message(0), message(1)])).toEqual([
      { partition: 0, offset: 7 },
      { partition: 1, offset: 7 },
    ]);
    expect(sent).toEqual([[0, 1], [1], [1]]);
  });
});
