import { BIGINT, INTEGER, TIMESTAMP, VARCHAR } from '@duckdb/node-api';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, timestamp } from '../database/values';
import { type MissingWindows } from './marks';

/** Records that a topic let go before they were stored: from one offset up to another, which is not one of them. */
export interface LostRecords {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly until: number;
}

/** Windows whose blocks were written and never came. */
export interface LostWindows extends MissingWindows {
  readonly topic: string;
  readonly partition: number;
}

/** Store them in `lost_windows`, in the transaction that moves the mark past them. */
export async function storeLostWindows(
  inside: Pick<Statements, 'run'>,
  lost: readonly LostWindows[],
): Promise<void> {
  if (lost.length === 0) return;
  const noticed = timestamp(Date.now() * MICROS_PER_MILLI);
  const own = {
    topic: column(lost, VARCHAR, ({ topic }) => topic),
    source_partition: column(lost, INTEGER, ({ partition }) => partition),
    from_window: column(lost, TIMESTAMP, ({ from }) => timestamp(from)),
    until_window: column(lost, TIMESTAMP, ({ until }) => timestamp(until)),
    noticed_at: column(lost, TIMESTAMP, () => noticed),
  };
  await insertRows(inside, 'lost_windows', { own }, 'fail');
}

/** Store them in `lost_records`, in the transaction that moves the position past them: each stands there once, and no restart forgets it. */
export async function storeLostRecords(
  inside: Pick<Statements, 'run'>,
  lost: readonly LostRecords[],
): Promise<void> {
  if (lost.length === 0) return;
  const noticed = timestamp(Date.now() * MICROS_PER_MILLI);
  const own = {
    topic: column(lost, VARCHAR, ({ topic }) => topic),
    source_partition: column(lost, INTEGER, ({ partition }) => partition),
    from_offset: column(lost, BIGINT, ({ from }) => BigInt(from)),
    until_offset: column(lost, BIGINT, ({ until }) => BigInt(until)),
    noticed_at: column(lost, TIMESTAMP, () => noticed),
  };
  await insertRows(inside, 'lost_records', { own }, 'fail');
}
