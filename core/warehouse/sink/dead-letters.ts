import { BIGINT, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api';
import { type DeadLetterReason } from '../../contracts/dead-letters';
import { isStorableRecordTime } from '../../contracts/storable';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, timestamp } from '../database/values';
import { MAX_DETAIL_CHARACTERS } from '../limits';
import { type SinkRecord } from './records';
import { readableBytes } from './rejects';

/** A message that was put aside, with its place and why. */
export interface DeadLetter {
  readonly topic: string;
  readonly partition: number;
  readonly record: SinkRecord;
  readonly reason: DeadLetterReason;
  readonly detail: string;
}

/** Store them in `dead_letters`, in the transaction that moves the position past them: each stands there once. */
export async function storeDeadLetters(inside: Statements, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return;
  const own = {
    topic: column(letters, VARCHAR, ({ topic }) => topic),
    source_partition: column(letters, INTEGER, ({ partition }) => partition),
    source_offset: column(letters, BIGINT, ({ record }) => BigInt(record.offset)),
    reason: column(letters, VARCHAR, ({ reason }) => reason),
    detail: column(letters, VARCHAR, ({ detail }) => detail.slice(0, MAX_DETAIL_CHARACTERS)),
    raw: column(letters, VARCHAR, ({ record }) => readableBytes(record.value)),
    sent_at: column(letters, TIMESTAMP, ({ record: { timestampMillis } }) =>
      isStorableRecordTime(timestampMillis) ? timestamp(timestampMillis * MICROS_PER_MILLI) : null,
    ),
  };
  await insertRows(inside, 'dead_letters', { own }, 'fail');
}
