import { BIGINT } from '@duckdb/node-api';
import { z } from 'zod';
import { REJECT_HEADERS } from '../../contracts/blocks';
import { REJECTED_TABLE, type RejectedRow, RowBuffer, tableInFile } from '../database/columns';
import { type Statements } from '../database/connection';
import { MAX_RAW_BYTES } from '../limits';
import { type SinkRecord } from './records';
import { list } from '../database/values';

/** An event that the stream refused, as `edge-iiot-rejects` tells of it. */
export interface RejectedEvent extends RejectedRow {
  readonly source: 'stream';
  readonly partition: number;
  readonly offset: number;
  /** Of its writer's claim; null in logs from before rejects told it. */
  readonly epoch: number | null;
}

/** From here on in the log, rejects of older epochs are void. */
export interface RejectsFence {
  readonly fence: number;
}

const wholeNumber = z.coerce.number().int().min(0);

/** @returns undefined when the record lacks the headers that say where the event came from. */
export function parseReject(record: SinkRecord): RejectedEvent | RejectsFence | undefined {
  const fence = wholeNumber.safeParse(record.headers[REJECT_HEADERS.fence]);
  if (fence.success) return { fence: fence.data };
  const reason = record.headers[REJECT_HEADERS.reason];
  const partition = wholeNumber.safeParse(record.headers[REJECT_HEADERS.partition]);
  const offset = wholeNumber.safeParse(record.headers[REJECT_HEADERS.offset]);
  if (reason === undefined || !partition.success || !offset.success) return undefined;
  return {
    source: 'stream',
    file: null,
    line: null,
    reason,
    detail: record.headers[REJECT_HEADERS.detail] ?? null,
    partition: partition.data,
    offset: offset.data,
    raw: readableBytes(record.value),
    recordMillis: record.timestampMillis,
    epoch: wholeNumber.safeParse(record.headers[REJECT_HEADERS.epoch]).data ?? null,
  };
}

/** The first bytes as text; what is no UTF-8 shows as replacement characters. */
export function readableBytes(value: Buffer | null): string {
  return value === null ? '' : value.subarray(0, MAX_RAW_BYTES).toString('utf8');
}

const storedRow = z.object({ source_offset: z.int() });

/**
 * Store rejects once each. A recovered worker writes the ones since its rewind offset again; they are known by where the
 * event came from.
 */
export async function storeRejects(inside: Statements, events: readonly RejectedEvent[]): Promise<number> {
  const buffer = new RowBuffer(await tableInFile(inside, REJECTED_TABLE));
  for (const [partition, ofPartition] of byPartition(events)) {
    const offsets = [...ofPartition.keys()];
    const stored = await inside.rows(
      storedRow,
      `SELECT source_offset FROM rejected_rows
       WHERE source = 'stream' AND source_partition = $partition AND source_offset IN (SELECT unnest($offsets))`,
      { partition, offsets: list(offsets.map(BigInt), BIGINT) },
    );
    for (const { source_offset } of stored) ofPartition.delete(source_offset);
    const fresh = [...ofPartition.values()];
    buffer.append(fresh.length, fresh);
  }
  await buffer.flush(inside.raw);
  return buffer.rows;
}

function byPartition(events: readonly RejectedEvent[]): Map<number, Map<number, RejectedEvent>> {
  const partitions = new Map<number, Map<number, RejectedEvent>>();
  for (const event of events) {
    const known = partitions.get(event.partition) ?? new Map<number, RejectedEvent>();
    if (!known.has(event.offset)) known.set(event.offset, event);
    partitions.set(event.partition, known);
  }
  return partitions;
}
