import { type HistoryChunk } from '../../core/contracts/blocks';
import { FedloopError } from '../../core/contracts/errors';
import { type Source } from '../../core/contracts/source';
import { type StreamSettings } from '../../core/contracts/settings';
import { type Task } from '../../core/contracts/task';
import { MICROS_PER_MILLI } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { RING_WINDOWS } from '../../core/federation/constants';
import { type Kafka, type OutgoingMessage, partitionOf } from '../../core/platform/kafka';
import { FileCounter } from '../../core/warehouse/batch/file-counter';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { type FileMapping, mappingOf } from './choose-mapping';
import { ReadingsCollector } from './collect';
import { type FleetSoFar, readFleetSoFar, readSnapshots } from './live';
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
/** Imports at the same moment take turns in finding each other; nobody has more than a few. */
const MERGE_ATTEMPTS = 5;

/**
 * Merge the windows with what the log has, and write the outcome. Who imports at the same moment merges with the same snapshot, and would take the
 * place of ours, or ours of theirs: what was written beside ours is merged again.
 * @throws FedloopError `TimedOut` when others write all the time.
 */
async function storeWindows(
  { kafka, settings, dryRun }: ImportOptions,
  collector: ReadingsCollector,
): Promise<Pick<ImportReport, 'devices' | 'windows' | 'partitions'>> {
  const { task } = settings;
  const bases = new Map<number, string | null>();
  const own = new Set<string>();
  for (let attempt = 1; attempt <= MERGE_ATTEMPTS; attempt += 1) {
    const fleet = await readFleetSoFar(kafka, task);
    for (let partition = 0; partition < fleet.partitions; partition += 1)
      if (!bases.has(partition)) bases.set(partition, fleet.snapshots(partition).newest().snapshot);
    const { histories, devices } = await mergedHistories(task, fleet, bases, collector);
    const snapshots = histories.map((history) => history.snapshot());
    const report = { devices, ...reportOf(fleet, histories, snapshots) };
    if (dryRun) return report;
    const fresh = snapshots.map((chunks) => (own.has(chunks?.[0]?.snapshot ?? '') ? undefined : chunks));
    await publish(kafka, fresh);
    for (const { snapshot } of snapshots.flatMap((chunks = []) => chunks)) own.add(snapshot);
    const beside = await writtenBeside(kafka, task, { bases, snapshots, own });
    if (beside.size === 0) return report;
    for (const [partition, snapshot] of beside) bases.set(partition, snapshot);
  }
  throw new FedloopError('TimedOut', 'other imports write to the history at the same time', {
    hint: 'Wait until they are done, and import the files again: what is there already changes nothing.',
  });
}

/** The histories of all partitions: each that of its base, with the windows of this import. */
async function mergedHistories(
  task: Task,
  fleet: FleetSoFar,
  bases: ReadonlyMap<number, string | null>,
  collector: ReadingsCollector,
): Promise<{ readonly histories: readonly PartitionHistory[]; readonly devices: number }> {
  const histories = Array.from({ length: fleet.partitions }, (_, partition) => {
    const before = fleet.snapshots(partition).chunksOf(bases.get(partition) ?? null) ?? [];
    return new PartitionHistory(task, RING_WINDOWS, before, fleet.live(partition));
  });
  const historyOf = (deviceId: string): PartitionHistory | undefined =>
    histories[partitionOf(deviceId, fleet.spread)];
  const newest = await collector.newest();
  for (const { device, start } of newest) historyOf(device)?.reach(start);
  for await (const windows of collector.windows())
    for (const window of windows) historyOf(window.deviceId)?.add(window);
  return { histories, devices: newest.length };
}

/** The latest snapshot of another import, by partition that this one has written to, that is not in its own. */
async function writtenBeside(
  kafka: Kafka,
  task: Task,
  {
    bases,
    snapshots,
    own,
  }: {
    readonly bases: ReadonlyMap<number, string | null>;
    readonly snapshots: readonly Snapshot[];
    readonly own: ReadonlySet<string>;
  },
): Promise<ReadonlyMap<number, string>> {
  const written = await readSnapshots(kafka, task);
  const beside = new Map<number, string>();
  for (const [partition, base] of bases) {
    if (snapshots[partition] === undefined) continue;
    const other = written(partition)
      .wholeSince(base)
      .findLast((name) => !own.has(name));
    if (other !== undefined) beside.set(partition, other);
  }
  return beside;
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
