import { analysisBlockSchema } from '../../core/contracts/blocks';
import { type Task } from '../../core/contracts/task';
import { type Micros } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { readSpread } from '../../core/ingest/source-memory';
import { type Kafka } from '../../core/platform/kafka';
import { Snapshots } from '../../core/stream/ownership/history-snapshots';
import { readDecisions } from '../../core/stream/replay/event-log';
import { type LivePartition } from './windows';

/** What the fleet's log says that a history has to agree with. */
export interface FleetSoFar {
  readonly partitions: number;
  /** Over how many of them devices are spread. */
  readonly spread: number;
  /** Partitions that have begun to read: which past their devices had is decided there. */
  readonly begun: ReadonlySet<number>;
  readonly live: (partition: number) => LivePartition;
  readonly snapshots: (partition: number) => Snapshots;
}

/** Read the topics that a history depends on, as they are now. */
export async function readFleetSoFar(kafka: Kafka, task: Task): Promise<FleetSoFar> {
  const { length: partitions } = await kafka.offsets(TOPICS.history.name);
  const [spread = partitions, decisions, live, snapshots] = await Promise.all([
    readSpread(kafka),
    readDecisions(kafka),
    readLiveRows(kafka, task),
    readSnapshots(kafka, task),
  ]);
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const hasBegun = (partition: number): boolean => decisions.of(partition).mayHaveBeenRead;
  return {
    partitions,
    spread,
    begun: new Set(numbers.filter(hasBegun)),
    live,
    snapshots,
  };
}

async function readLiveRows(kafka: Kafka, task: Task): Promise<FleetSoFar['live']> {
  const schema = analysisBlockSchema(task);
  const closedUntil = new Map<number, Micros>();
  const rows = new Map<string, Set<Micros>>();
  const tail = await kafka.tail({
    topic: TOPICS.analysis.name,
    from: 'start',
    onRecords(records) {
      for (const { partition, value } of records) {
        const block = schema.safeParse(parseJson(value));
        // Fences have no rows.
        if (!block.success) continue;
        const { window_start: start, window_end: end, columns } = block.data;
        // The last one, not the largest: a watermark may have been set back.
        closedUntil.set(partition, end);
        for (const deviceId of columns.device_id) {
          const starts = rows.get(deviceId);
          if (starts === undefined) rows.set(deviceId, new Set([start]));
          else starts.add(start);
        }
      }
    },
  });
  await tail.caughtUp;
  await tail.close();
  return (partition) => ({
    closedUntil: closedUntil.get(partition) ?? -Infinity,
    hasRow: (deviceId, start) => rows.get(deviceId)?.has(start) === true,
  });
}

/** Pasts of devices that the log has, by partition. */
export async function readSnapshots(kafka: Kafka, task: Task): Promise<(partition: number) => Snapshots> {
  const partitions = new Map<number, Snapshots>();
  const tail = await kafka.tail({
    topic: TOPICS.history.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        const snapshots = partitions.get(record.partition) ?? new Snapshots(task);
        partitions.set(record.partition, snapshots);
        snapshots.keep(record);
      }
    },
  });
  await tail.caughtUp;
  await tail.close();
  return (partition) => partitions.get(partition) ?? new Snapshots(task);
}

/** How far a partition has closed its windows, and the end of the last one with rows; −Infinity while there is none. */
export async function readLivePartition(
  kafka: Kafka,
  task: Task,
  partition: number,
): Promise<{ readonly closedUntil: Micros; readonly rowsUntil: Micros }> {
  const schema = analysisBlockSchema(task);
  let closedUntil = -Infinity;
  let rowsUntil = -Infinity;
  const tail = await kafka.tail({
    topic: TOPICS.analysis.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        const block = record.partition === partition ? schema.safeParse(parseJson(record.value)) : undefined;
        if (block?.success !== true) continue;
        closedUntil = block.data.window_end;
        if (block.data.columns.device_id.length > 0) rowsUntil = Math.max(rowsUntil, block.data.window_end);
      }
    },
  });
  await tail.caughtUp;
  await tail.close();
  return { closedUntil, rowsUntil };
}
