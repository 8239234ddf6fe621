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

/** The change of the tables by a record; a text for why it is not valid, undefined for none. */
export type Change = ((inside: Statements) => Promise<void>) | string | undefined;
