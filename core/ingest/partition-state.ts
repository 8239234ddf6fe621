/** Where an ingest worker stands in a partition of its source. */
export interface PartitionState {
  /** From where it is read since it was assigned. */
  begins: number;
  /** Offset after the last record whose events Kafka has. */
  delivered: number;
  /** What the group has committed; −1 where it has nothing. */
  committed: number;
  /** Offset after the last record that was read; 0 before the first. */
  read: number;
  highWatermark: number;
  /** When records last came, or the partition was assigned, on the process's clock in milliseconds. */
  heardAt: number;
  isPaused: boolean;
  /** The records that come now are of another log: they are read when the group is joined again. */
  isReplaced: boolean;
  /** Of the records that wait. */
  waitingBytes: number;
  /** Parcels that Kafka does not have yet. */
  underWay: number;
}

/**
 * A partition that was just assigned. The place where it begins is committed even before a record comes: it alone says after a crash how much
 * was lost meanwhile.
 * @param committed what the group has committed in this log; undefined where it has nothing
 */
export function assignedState(begins: number, committed: number | undefined): PartitionState {
  return {
    begins,
    delivered: begins,
    committed: committed ?? -1,
    read: 0,
    highWatermark: 0,
    heardAt: performance.now(),
    isPaused: false,
    isReplaced: false,
    waitingBytes: 0,
    underWay: 0,
  };
}
