/** A place that messages are read from. One that is away is tried again, for ever. */
export interface IngestSource {
  start(): void;
  /** Why nothing is read; undefined while all is well. */
  readonly problem: string | undefined;
  /** Records of each partition that were not read yet; none where the source has no partitions. */
  lags(): ReadonlyMap<number, number>;
  /** Read nothing more. */
  pause(): void;
  /** Acknowledge what was delivered, and leave. Called once, after `pause`. */
  close(): Promise<void>;
}
