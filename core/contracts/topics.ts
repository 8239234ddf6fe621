/**
 * The data plane. Names of topics are names of tables, metrics and documents too: one name for one thing.
 * `perSource` topics have as many partitions as the stream, and a block goes to the number its events came from. `remade`: any worker that
 * knows it makes it again where somebody has deleted it. Others are not: events, and what rows and versions rest on.
 */
export const TOPICS = {
  stream: { name: 'edge-iiot-stream', partitions: 'perSource', cleanup: 'delete', remade: false },
  rejects: { name: 'edge-iiot-rejects', partitions: 'perSource', cleanup: 'delete', remade: true },
  /** Messages of a source that could not become events; events that were refused are in `rejects`. */
  ingestRejects: { name: 'ingest-rejects', partitions: 1, cleanup: 'delete', remade: true },
  /** What ingest workers have to know of their source after a restart: a record each of what `contracts/ingest-memory.ts` names. */
  ingestMemory: { name: 'ingest-memory', partitions: 1, cleanup: 'compact', remade: true },
  analysis: { name: 'stream-analysis-results', partitions: 'perSource', cleanup: 'delete', remade: true },
  evaluations: { name: 'model-evaluations', partitions: 'perSource', cleanup: 'delete', remade: true },
  checkpoints: { name: 'stream-checkpoints', partitions: 'perSource', cleanup: 'compact', remade: false },
  /** Lags of every device from before its first live window: what `processed/` knew, logged so that a replay agrees. */
  history: { name: 'device-history', partitions: 'perSource', cleanup: 'compact', remade: false },
  updates: { name: 'model-updates', partitions: 1, cleanup: 'delete', remade: true },
  deployments: { name: 'model-deployments', partitions: 1, cleanup: 'compact', remade: false },
  feedback: { name: 'model-feedback', partitions: 1, cleanup: 'delete', remade: true },
  /** Rounds request live windows here. They pace a simulated fleet; a real one sends anyway and need not listen. */
  windowRequests: { name: 'window-requests', partitions: 1, cleanup: 'delete', remade: true },
} as const;

/** Topics that have a partition for each partition of the topic of events, which may be another than `edge-iiot-stream`. */
export const PER_SOURCE_TOPICS: readonly string[] = Object.values(TOPICS)
  .filter((topic) => topic.partitions === 'perSource' && topic !== TOPICS.stream)
  .map(({ name }) => name);

const WRITTEN_BY_US: ReadonlySet<string> = new Set(
  Object.values(TOPICS)
    .filter((topic) => topic !== TOPICS.stream)
    .map(({ name }) => name),
);

/**
 * Whether only Fedloop writes to a topic, which it does without transactions. One that stands open there is somebody else's, and nobody may have
 * to wait for its end: such topics are read as they are. The topic of events is read as far as it is committed.
 */
export function isWrittenByUs(topic: string): boolean {
  return WRITTEN_BY_US.has(topic);
}

/** Consumer group of the stream workers; a simulated fleet reads its offsets so as not to run far ahead of them. */
export const STREAM_GROUP = 'fedloop-stream';

/** Consumer group of the ingest workers. */
export const INGEST_GROUP = 'fedloop-ingest';

/**
 * Consumer groups of warehouses: this and the file's own id, so that a new file starts from the beginning. Stream workers look at how far
 * behind those with living members are.
 */
export const ANALYTICS_GROUP_PREFIX = 'fedloop-analytics-';

/** Rows in a block of results: about 30 KB of JSON, small enough to retry, large enough to be cheap. */
export const ROWS_PER_BLOCK = 256;

/** A record batch over this is refused by a default broker. */
export const BROKER_BATCH_BYTES = 1024 * 1024;

/** Messages of one call to a partition, which the client makes one batch: what is left is for its framing. */
export const MAX_BATCH_BYTES = 900_000;

/** Half of a batch leaves room for headers and base64. */
export const MAX_UPDATE_BYTES = BROKER_BATCH_BYTES / 2;

/**
 * Bytes that key and value of a record of ours may have together: a default broker takes no larger one. A few kilobytes can be made to
 * decompress to far more, and a schema spends hundreds of bytes on each wrong value, so that one record could use up a worker's memory.
 */
const MAX_OWN_RECORD_BYTES = BROKER_BATCH_BYTES;

/** Bytes that key and value of a record of a topic may have together, to be read at all. Events and deployments have bounds of their own. */
export function maxRecordBytes(topic: string): number {
  return isWrittenByUs(topic) && topic !== TOPICS.deployments.name ? MAX_OWN_RECORD_BYTES : Infinity;
}

export const FOREIGN_TOPIC_MARK = '/';

/**
 * A topic that is not the deployment's own, such as one that devices already write to: no prefix is put before it. No topic has a `/` in
 * its name, so that it tells such names from the others, as in a path.
 */
export function foreignTopic(name: string): string {
  return FOREIGN_TOPIC_MARK + name;
}

/** The topic's name as people know it: without the mark. */
export function plainTopic(name: string): string {
  return name.replace(FOREIGN_TOPIC_MARK, '');
}
