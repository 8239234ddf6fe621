import { type FenceBlock } from '../../contracts/blocks';
import { type DeadLetterReason } from '../../contracts/dead-letters';
import { type IncomingRecord } from '../../platform/kafka';
import { type RejectedRow } from '../database/columns';
import { type Statements } from '../database/connection';
import { type Block } from './blocks';
import { type RejectedEvent } from './rejects';

/** A record of any topic as the sink reads it. */
export interface SinkRecord extends Omit<IncomingRecord, 'partition' | 'key'> {
  readonly key: string | null;
}

/** Records of one partition in log order. `topic` is the contract's name, without a deployment's prefix. */
export interface SinkRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SinkRecord[];
  /** Offset from which on the log was read: the topic has let go what stands before it and is not stored. Left out: nothing was let go. */
  readonly begins?: number;
  /** Offset behind all that was read. Behind the last record are markers, or records that were aborted or compacted. Left out: nothing is. */
  readonly ends?: number;
}

/** The change of the tables by a record; a text for why it is not valid, undefined for none. */
export type Change = ((inside: Statements) => Promise<void>) | string | undefined;

/** A message that ingest could not map. */
export interface UnmappedRow extends RejectedRow {
  /** Whether its time is the message's own, and so the same when it is read again. */
  readonly hasOwnTime: boolean;
}

/** What a record says, once its schema has let it through; `aside` is one that it has not. */
export type Reading =
  | { readonly kind: 'block'; readonly block: Block }
  | { readonly kind: 'fence'; readonly epoch: number; readonly reset: FenceBlock['reset'] }
  | { readonly kind: 'reject'; readonly event: RejectedEvent }
  | { readonly kind: 'unmapped'; readonly row: UnmappedRow }
  | { readonly kind: 'change'; readonly change: Exclude<Change, string | undefined> }
  /** No record, but the last offset of those that the topic let go before they were stored. */
  | { readonly kind: 'lost' }
  /** No record, but the last offset that was read, where it has none. */
  | { readonly kind: 'passed' }
  /** A valid message that is not the warehouse's. */
  | { readonly kind: 'none' }
  | { readonly kind: 'aside'; readonly reason: DeadLetterReason; readonly detail: string };

/** A record with what it says. */
export interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly record: SinkRecord;
  readonly reading: Reading;
}
