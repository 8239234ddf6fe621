import { maxRecordBytes, TOPICS } from '../../../core/contracts/topics';
import { undecodableSentence } from '../../../core/contracts/undecodable';
import { recordsOf } from '../../../core/platform/kafka/records';
import { type RawRecord } from '../../../core/platform/kafka/types';

const record = (keyBytes: number, valueBytes: number): RawRecord => ({
  offset: 7,
  timestamp: 0,
  key: Buffer.alloc(keyBytes),
  value: Buffer.alloc(valueBytes, 'x'),
});

describe('records that were fetched', () => {
  it('are all handed on where their topic has no bound', () => {
    const fetched = [record(0, 3_000_000), record(0, 1)];
    expect(recordsOf(fetched, Infinity)).toBe(fetched);
  });

  it('of more bytes than their topic takes cannot be read, and only a beginning of them is kept', () => {
    const [fits, large, largeKey] = recordsOf([record(10, 90), record(10, 91), record(101, 0)], 100);
    expect(fits?.undecodable).toBeUndefined();
    for (const oversized of [large, largeKey])
      expect(oversized?.undecodable).toEqual({ fault: 'oversized', lastOffset: 7 });
    expect(recordsOf([record(0, 5_000)], 100)[0]?.value?.byteLength).toBe(1_000);
  });

  it('are said to be oversized by their own offset', () => {
    expect(undecodableSentence(7, { fault: 'oversized', lastOffset: 7 })).toBe(
      'the record at offset 7 cannot be read: it has more bytes than any record that Fedloop writes, so look who else may write to this topic',
    );
  });

  it('have a bound in the topics that only Fedloop writes, except deployments, which know their own', () => {
    const unbounded = Object.values(TOPICS).filter(({ name }) => maxRecordBytes(name) === Infinity);
    expect(unbounded).toEqual([TOPICS.stream, TOPICS.deployments]);
  });
});
