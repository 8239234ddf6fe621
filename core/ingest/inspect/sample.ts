/** A message of a sample. */
export interface SampleMessage {
  /** Parsed from JSON. */
  readonly value: unknown;
  /** Partition of the topic that it was read from; undefined in a file. */
  readonly partition: number | undefined;
}
