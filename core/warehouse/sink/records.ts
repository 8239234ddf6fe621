import { type IncomingRecord } from '../../platform/kafka';
import { type Statements } from '../database/connection';

/** A record of any topic as the sink reads it. */
export interface SinkRecord extends Omit<IncomingRecord, 'partition' | 'key'> {
  readonly key: string | null;
}

/** Records of one partition in log order. `topic` is the contract's name, without a deployment's prefix. */
export interface SinkRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SinkRecord[];
}

/** What a record changes in the tables: a text says why the record is not valid, undefined that it changes nothing. */
export type Change = ((inside: Statements) => Promise<void>) | string | undefined;
