import { type Kafka } from '../platform/kafka';
import { LogStartWatch } from '../platform/kafka/log-start-watch';
import { type Logger } from '../platform/log';
import { type AssignedPartitions } from './assigned-partitions';

interface LostEventsOptions {
  readonly kafka: Pick<Kafka, 'offsets'>;
  readonly log: Logger;
  /** The topic of events. */
  readonly topic: string;
  readonly assigned: Pick<AssignedPartitions, 'all' | 'get'>;
  /** Whether the partition is not read for now: what was fetched of it may still be in memory. */
  readonly isWaiting: (partition: number) => boolean;
  readonly readOn: (partition: number, offset: number) => void;
  /** The loss could not be logged. */
  readonly onFailure: (cause: unknown) => void;
}

/** Counts events that the topic let go before they were read, also where no event comes behind them that would show it. */
export function watchLostEvents({
  kafka,
  log,
  topic,
  assigned,
  isWaiting,
  readOn,
  onFailure,
}: LostEventsOptions): LogStartWatch {
  return new LogStartWatch({
    kafka,
    log,
    assignment: () => new Map([[topic, assigned.all().map(({ number }) => number)]]),
    nextOffset: (_, partition) => assigned.get(partition)?.owner.next ?? Infinity,
    isBusy: (_, partition) =>
      isWaiting(partition) || assigned.get(partition)?.isWorking === true || !isRead(assigned, partition),
    onExpired: async (_, partition, until) => {
      const lossy = assigned.get(partition);
      // Since it was looked, records may have come.
      if (lossy === undefined || lossy.isWorking) return;
      await lossy.note({ kind: 'expired', from: lossy.owner.next, until }).catch(onFailure);
      if (lossy.owner.isOwner) readOn(partition, lossy.owner.next);
    },
  });
}

/** Whether this worker reads the partition: it is its owner, and the log is the one that was read before. */
function isRead(assigned: LostEventsOptions['assigned'], partition: number): boolean {
  const owner = assigned.get(partition)?.owner;
  return owner !== undefined && owner.isOwner && !owner.isSourceReplaced;
}
