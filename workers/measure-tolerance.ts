import { FedloopError } from '../core/contracts/errors';
import { type StreamSettings } from '../core/contracts/settings';
import { DEFAULT_SOURCE, type Source } from '../core/contracts/source';
import { foreignTopic, TOPICS } from '../core/contracts/topics';
import { compileMapping, type Mapping } from '../core/ingest/mapping';
import { toleranceOf, WindowChanges } from '../core/ingest/window-changes';
import { type IncomingRecord, type Kafka } from '../core/platform/kafka';

/** A measurement takes a minute at most, and a few hundred bytes a window: enough for days of a thousand devices. */
const MAX_MESSAGES = 2_000_000;
const MAX_MILLIS = 60_000;
/** Of fewer changes the median is no measure: with 30 its standard error is about a quarter of the changes' spread. */
const MIN_CHANGES = 30;

/** How far a measurement is. */
export interface MeasuringProgress {
  readonly messages: number;
  readonly of: number;
}

/**
 * Measure the tolerance of a new fleet: the median absolute change of a device's mean from window to window, in the messages that its
 * source has by now.
 * @throws FedloopError `InvalidConfig` when they are too few, or mostly do not change at all.
 */
export async function measureTolerance(
  kafka: Kafka,
  settings: StreamSettings,
  onProgress: (progress: MeasuringProgress) => void,
): Promise<number> {
  const { task, source } = settings;
  const changes = new WindowChanges(settings);
  const messages = await readMessages(kafka, source, compileMapping(messageShape(source), task), {
    changes,
    onProgress,
  });
  const sorted = changes.sorted();
  const { sensor } = task.target;
  const remedy = 'give `target.tolerance` as a number';
  if (sorted.length < MIN_CHANGES)
    throw new FedloopError(
      'InvalidConfig',
      `the tolerance of ${sensor} cannot be measured: the ${messages.toLocaleString('en')} messages of ${nameOf(source)} have ${sorted.length} changes from window to window, and ${MIN_CHANGES} are needed; ${remedy}, or start again when more have come`,
    );
  const tolerance = toleranceOf(sorted);
  if (tolerance > 0) return tolerance;
  throw new FedloopError(
    'InvalidConfig',
    `the tolerance of ${sensor} cannot be measured: its mean mostly stays the same from window to window; ${remedy}`,
  );
}

/** Messages of MQTT are in no topic: what there is of them has been written as canonical events. */
function messageShape(source: Source): Source {
  return source.mqtt === undefined ? source : DEFAULT_SOURCE;
}

/** As Kafka's interface takes it. */
function topicOf({ topic }: Source): string {
  return topic === undefined ? TOPICS.stream.name : foreignTopic(topic);
}

function nameOf({ topic }: Source): string {
  return topic ?? TOPICS.stream.name;
}

interface Measuring {
  readonly changes: WindowChanges;
  readonly onProgress: (progress: MeasuringProgress) => void;
}

/** Read the topic from its beginning to its present end, or to a limit. @returns messages read. */
async function readMessages(
  kafka: Kafka,
  source: Source,
  mapping: Mapping,
  { changes, onProgress }: Measuring,
): Promise<number> {
  const topic = topicOf(source);
  const ends = await kafka.offsets(topic);
  const there = ends.reduce((sum, { low, high }) => sum + high - low, 0);
  const of = Math.min(there, MAX_MESSAGES);
  if (of === 0) return 0;
  let messages = 0;
  let reachLimit = (): void => undefined;
  const limit = new Promise<void>((resolve) => (reachLimit = resolve));
  const timer = setTimeout(reachLimit, MAX_MILLIS);
  const onRecords = (records: readonly IncomingRecord[]): void => {
    for (const { value } of records.slice(0, MAX_MESSAGES - messages)) {
      messages += 1;
      if (value === null) continue;
      for (const reading of mapping.ofBytes(value).readings) changes.add(reading);
    }
    onProgress({ messages, of });
    if (messages >= MAX_MESSAGES) reachLimit();
  };
  const tail = await kafka.tail({ topic, from: 'start', onRecords });
  try {
    await Promise.race([tail.caughtUp, limit]);
  } finally {
    clearTimeout(timer);
    await tail.close();
  }
  return messages;
}
