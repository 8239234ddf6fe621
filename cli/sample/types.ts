/** A message as it lies in a file or a topic. */
export interface SampledMessage {
  readonly bytes: Uint8Array;
  /** Undefined in a file. */
  readonly partition: number | undefined;
  /** Kafka's timestamp of it, in milliseconds since 1970; undefined in a file. */
  readonly recordMillis: number | undefined;
}

export interface Sample {
  /** Where it comes from, for sentences. */
  readonly name: string;
  readonly messages: readonly SampledMessage[];
  /** They come from one place, in the order in which they lie there. */
  readonly keepsOrder: boolean;
  /** There are more messages than were read. */
  readonly isCut: boolean;
}
