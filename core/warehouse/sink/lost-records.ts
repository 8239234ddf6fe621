import { BIGINT, INTEGER, TIMESTAMP, VARCHAR, type DuckDBType, type DuckDBValue } from '@duckdb/node-api';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, timestamp } from '../database/values';
import { type MissingWindows } from './marks';

/** A part of a topic's partition, from one place up to another, which is not in it. */
interface LostRange {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly until: number;
}

/** Records that a topic let go before they were stored, by offset. */
export type LostRecords = LostRange;

/** Windows whose blocks were written and never came. */
export type LostWindows = LostRange & MissingWindows;

/** Refused events whose rejects were written and never came, by their number in the partition. */
export type LostRejects = LostRange;

/** Store them in `lost_rejects`, in the transaction that moves the partition's number past them. */
export function storeLostRejects(
  inside: Pick<Statements, 'run'>,
  lost: readonly LostRejects[],
): Promise<void> {
  return storeLost(inside, 'lost_rejects', lost, { suffix: 'number', type: BIGINT, valueOf: BigInt });
}

/** Store them in `lost_windows`, in the transaction that moves the mark past them. */
export function storeLostWindows(
  inside: Pick<Statements, 'run'>,
  lost: readonly LostWindows[],
): Promise<void> {
  return storeLost(inside, 'lost_windows', lost, { suffix: 'window', type: TIMESTAMP, valueOf: timestamp });
}

/** Store them in `lost_records`, in the transaction that moves the position past them: each stands there once, and no restart forgets it. */
export function storeLostRecords(
  inside: Pick<Statements, 'run'>,
  lost: readonly LostRecords[],
): Promise<void> {
  return storeLost(inside, 'lost_records', lost, { suffix: 'offset', type: BIGINT, valueOf: BigInt });
}

/** How a table has the ends of a range: in the columns `from_…` and `until_…`. */
interface EndColumns {
  readonly suffix: 'offset' | 'window' | 'number';
  readonly type: DuckDBType;
  readonly valueOf: (end: number) => DuckDBValue;
}

async function storeLost(
  inside: Pick<Statements, 'run'>,
  table: 'lost_records' | 'lost_windows' | 'lost_rejects',
  lost: readonly LostRange[],
  { suffix, type, valueOf }: EndColumns,
): Promise<void> {
  if (lost.length === 0) return;
  const noticed = timestamp(Date.now() * MICROS_PER_MILLI);
  const own = {
    topic: column(lost, VARCHAR, ({ topic }) => topic),
    source_partition: column(lost, INTEGER, ({ partition }) => partition),
    [`from_${suffix}`]: column(lost, type, ({ from }) => valueOf(from)),
    [`until_${suffix}`]: column(lost, type, ({ until }) => valueOf(until)),
    noticed_at: column(lost, TIMESTAMP, () => noticed),
  };
  await insertRows(inside, table, { own }, 'fail');
}
