/** A record of any topic as the sink takes it. */
export interface SinkRecord {
  readonly offset: number;
  readonly timestampMillis: number;
  readonly key: string | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** Records of one partition in log order. `topic` is the contract's name, without a deployment's prefix. */
export interface SinkRecords {
  readonly topic: string;
  readonly partition: number;
  readonly records: readonly SinkRecord[];
}
