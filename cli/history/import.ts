import { type HistoryChunk } from '../../core/contracts/blocks';
import { type Source } from '../../core/contracts/source';
import { type StreamSettings } from '../../core/contracts/settings';
import { MICROS_PER_MILLI } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { RING_WINDOWS } from '../../core/federation/constants';
import { type Kafka, type OutgoingMessage, partitionOf } from '../../core/platform/kafka';
import { FileCounter } from '../../core/warehouse/batch/file-counter';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { type FileMapping, mappingOf } from './choose-mapping';
import { ReadingsCollector } from './collect';
import { type FleetSoFar, readFleetSoFar } from './live';
import { type FileRow, openHistoryFile } from './rows';
import { type RejectedRow, Tally } from './tally';
import { PartitionHistory, type WindowCounts } from './windows';

/** What an import came to. `readings` is `used` plus all that were rejected. */
export interface ImportReport {
  readonly files: number;
  readonly rows: number;
  readonly readings: number;
  readonly used: number;
  readonly rejected: Readonly<Record<string, { readonly count: number; readonly first: RejectedRow | null }>>;
  /** Values of covariates that are no readings: they cost nothing but themselves. */
  readonly droppedValues: number;
  readonly devices: number;
  readonly windows: Readonly<WindowCounts>;
  readonly partitions: readonly PartitionReport[];
}

interface PartitionReport {
  readonly partition: number;
  /** Its devices have begun already: the history trains models, and is no past of theirs. */
  readonly begun: boolean;
  readonly windows: number;
  /** Hash of the snapshot that was written; null where there was nothing new. */
  readonly snapshot: string | null;
}

export interface ImportOptions {
  readonly kafka: Kafka;
  readonly settings: StreamSettings;
  /** Write nothing. */
  readonly dryRun: boolean;
  /** Milliseconds since 1970: readings further ahead than the future limit are rejected. */
  readonly now: number;
  readonly onRows?: (rows: number) => void;
}

export interface ImportedFiles {
  /** How files of messages are mapped, and tables whose columns it names. */
  readonly source: Source;
  readonly wide: string | undefined;
  readonly paths: readonly string[];
}

/**
 * Read files of readings into the history of the fleet.
 * @throws FedloopError `InvalidData` for a file that is none of readings.
 */
export function importHistory(options: ImportOptions, files: ImportedFiles): Promise<ImportReport> {
  const { task } = options.settings;
  return importRows(options, files.paths.length, async (take, connection) => {
    for (const path of files.paths) {
      const file = await openHistoryFile(path, connection);
      const mapping = mappingOf(file, files.source, task, files.wide);
      for await (const row of file.rows()) await take(row, mapping);
    }
  });
}

/** Hands rows over, one after the other. */
type Feed = (
  take: (row: FileRow, mapping: FileMapping) => Promise<void>,
  connection: SerialConnection,
) => Promise<void>;

/**
 * Make rows into means by device and window, and log those that nothing contradicts in `device-history`: a snapshot a partition, with
 * everything that was imported before. Partitions that have not begun take theirs as the past of their devices; sites train on all of them.
 * Importing the same again changes nothing.
 */
export async function importRows(options: ImportOptions, files: number, feed: Feed): Promise<ImportReport> {
  const counter = await FileCounter.open();
  try {
    const { settings, now } = options;
    const latest = now * MICROS_PER_MILLI + settings.futureMicros;
    const collector = await ReadingsCollector.open(counter.connection, settings, latest);
    const tally = new Tally(collector);
    await feed(async (row, mapping) => {
      await tally.take(row, mapping);
      if (tally.rows % ROWS_PER_REPORT === 0) options.onRows?.(tally.rows);
    }, counter.connection);
    const { used, duplicates } = await collector.dropDuplicates();
    if (duplicates > 0) tally.rejected.set('duplicate', { count: duplicates, first: null });
    const stored = await storeWindows(options, collector);
    const { rows, readings, rejected } = tally;
    const { droppedValues } = collector;
    return { files, rows, readings, used, rejected: Object.fromEntries(rejected), droppedValues, ...stored };
  } finally {
    await counter.close();
  }
}

const ROWS_PER_REPORT = 50_000;

async function storeWindows(
  { kafka, settings, dryRun }: ImportOptions,
  collector: ReadingsCollector,
): Promise<Pick<ImportReport, 'devices' | 'windows' | 'partitions'>> {
  const { task } = settings;
  const fleet = await readFleetSoFar(kafka, task);
  const histories = Array.from({ length: fleet.partitions }, (_, partition) => {
    const snapshots = fleet.snapshots(partition);
    const before = snapshots.chunksOf(snapshots.newest().snapshot) ?? [];
    return new PartitionHistory(task, RING_WINDOWS, before, fleet.live(partition));
  });
  const historyOf = (deviceId: string): PartitionHistory | undefined =>
    histories[partitionOf(deviceId, fleet.partitions)];
  const newest = await collector.newest();
  for (const { device, start } of newest) historyOf(device)?.reach(start);
  for await (const windows of collector.windows())
    for (const window of windows) historyOf(window.deviceId)?.add(window);
  const snapshots = histories.map((history) => history.snapshot());
  if (!dryRun) await publish(kafka, snapshots);
  return { devices: newest.length, ...reportOf(fleet, histories, snapshots) };
}

type Snapshot = readonly HistoryChunk[] | undefined;

async function publish(kafka: Kafka, snapshots: readonly Snapshot[]): Promise<void> {
  const messages = snapshots.flatMap((chunks = [], partition) =>
    chunks.map((chunk, number): OutgoingMessage => {
      // The snapshot is in the key: one that devices have begun with must never be replaced.
      const key = `import/${partition}/${chunk.snapshot}/${number}`;
      return { partition, key, value: JSON.stringify(chunk) };
    }),
  );
  if (messages.length === 0) return;
  const producer = await kafka.producer();
  try {
    // One by one: together they would not fit into a batch.
    for (const message of messages) await producer.send(TOPICS.history.name, [message]);
  } finally {
    await producer.disconnect();
  }
}

function reportOf(
  fleet: FleetSoFar,
  histories: readonly PartitionHistory[],
  snapshots: readonly Snapshot[],
): Pick<ImportReport, 'windows' | 'partitions'> {
  const windows: WindowCounts = { found: 0, written: 0, known: 0, live: 0, open: 0, old: 0 };
  for (const { counts } of histories) {
    windows.found += counts.found;
    windows.written += counts.written;
    windows.known += counts.known;
    windows.live += counts.live;
    windows.open += counts.open;
    windows.old += counts.old;
  }
  const partitions = histories.map(({ counts }, partition) => ({
    partition,
    begun: fleet.begun.has(partition),
    windows: counts.written,
    snapshot: snapshots[partition]?.[0]?.snapshot ?? null,
  }));
  return { windows, partitions };
}
