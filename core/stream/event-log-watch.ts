import { type Kafka } from '../platform/kafka';
import { LogIdWatch } from '../platform/kafka/log-id-watch';
import { LogStartWatch } from '../platform/kafka/log-start-watch';
import { type Logger } from '../platform/log';
import { type AssignedPartitions } from './assigned-partitions';

interface EventLogOptions {
  readonly kafka: Pick<Kafka, 'offsets' | 'logId'>;
  readonly log: Logger;
  /** The topic of events. */
  readonly topic: string;
  readonly assigned: Pick<AssignedPartitions, 'all' | 'get'>;
  /** Whether the partition is not read for now: what was fetched of it may still be in memory. */
  readonly isWaiting: (partition: number) => boolean;
  readonly readOn: (partition: number, offset: number) => void;
  /** Partitions are not read any further: the topic is another log. */
  readonly onReplaced: () => void;
  /** The loss could not be logged. */
  readonly onFailure: (cause: unknown) => void;
}

/** Watches the topic of events: what it lets go before it was read, and whether it is still the log that is read. */
export function watchEventLog(options: EventLogOptions): { start(): void; close(): void } {
  const watches = [watchLostEvents(options), watchLogId(options)];
  return {
    start: () => {
      for (const watch of watches) watch.start();
    },
    close: () => {
      for (const watch of watches) watch.close();
    },
  };
}

/** Stops what is read when the topic is deleted and made anew: its offsets were read before, and rows would be made of both logs. */
function watchLogId({ kafka, log, topic, assigned, onReplaced, onFailure }: EventLogOptions): LogIdWatch {
  const read = () => assigned.all().filter(({ owner }) => !owner.isSourceReplaced);
  return new LogIdWatch({
    ...{ kafka, log, topic },
    expected: () => read()[0]?.logId ?? '',
    onReplaced: () => {
      for (const partition of read())
        partition.note({ kind: 'replaced', read: partition.owner.next }).catch(onFailure);
      onReplaced();
    },
  });
}

/** Counts events that the topic let go before they were read, also where no event comes behind them that would show it. */
function watchLostEvents({
  kafka,
  log,
  topic,
  assigned,
  isWaiting,
  readOn,
  onFailure,
}: EventLogOptions): LogStartWatch {
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
function isRead(assigned: EventLogOptions['assigned'], partition: number): boolean {
  const owner = assigned.get(partition)?.owner;
  return owner !== undefined && owner.isOwner && !owner.isSourceReplaced;
}
