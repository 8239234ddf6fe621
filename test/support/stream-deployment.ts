import { historyChunkSchema, type HistoryChunk } from '../../core/contracts/blocks';
import { type Stage, untrainedLineage } from '../../core/contracts/deployments';
import { type VersionId, versionIdSchema } from '../../core/contracts/ids';
import { type StreamSettings } from '../../core/contracts/settings';
import {
  covariateColumns,
  DEFAULT_TASK,
  featureCount,
  historyWindows,
  type Task,
} from '../../core/contracts/task';
import { type Micros } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { logDeployment } from '../../core/model/deployments';
import { modelMessage } from '../../core/model/deployment-messages';
import { partitionOf, type Kafka, type Producer } from '../../core/platform/kafka';
import { untrainedModel } from './task';
import { EventFeed, type FeedOptions } from './event-feed';

export const version = (name: string): VersionId => versionIdSchema.parse(name);

/** Topics as workers make them. */
export async function createTopics(kafka: Kafka, partitions: number): Promise<void> {
  await kafka.createTopics(
    Object.values(TOPICS).map((topic) => ({
      name: topic.name,
      cleanup: topic.cleanup,
      partitions: topic.partitions === 'perSource' ? partitions : topic.partitions,
    })),
  );
}

/**
 * All that stream workers find in a deployment: topics, settings, a past for every device, and `v0` as champion.
 * @returns the events to send them; some lie further back than the watermark forgives
 */
export async function deployStream(
  kafka: Kafka,
  producer: Producer,
  settings: StreamSettings,
  options: Omit<FeedOptions, 'lateMicros'>,
): Promise<EventFeed> {
  const { start, partitions } = options;
  const feed = new EventFeed({ ...options, lateMicros: 4 * settings.watermarkMicros });
  await createTopics(kafka, partitions);
  await logSettings(producer, settings);
  await logHistory(producer, feed.deviceIds(), start, settings, partitions);
  await deployModel(producer, 'v0', 0, settings.task);
  await stageModel(producer, 'v0', 'champion');
  return feed;
}

/** What every worker of the deployment is to agree on. */
export async function logSettings(producer: Producer, settings: StreamSettings): Promise<void> {
  await logDeployment(producer, [{ type: 'settings', settings }]);
}

/** A network with weights from the seed, deployed under this name; what it forecasts is nonsense, and always the same. */
export async function deployModel(
  producer: Producer,
  name: string,
  seed: number,
  task: Task = DEFAULT_TASK,
): Promise<void> {
  const model = untrainedModel(name, { seed, inputs: featureCount(task) });
  const message = modelMessage(model, untrainedLineage(seed), '2020-01-01T00:00:00Z');
  await logDeployment(producer, [message]);
}

export async function stageModel(producer: Producer, name: string, stage: Stage): Promise<void> {
  await logDeployment(producer, [
    {
      type: 'stage',
      version: version(name),
      stage,
      round: 0,
      not_before: null,
      reason: 'a test says so',
      by: 'test',
      at: '2020-01-01T00:00:00Z',
    },
  ]);
}

/** A past for every device, so that versions are scored from the first window on. */
export async function logHistory(
  producer: Producer,
  devices: readonly string[],
  liveStart: Micros,
  settings: StreamSettings,
  partitions: number,
): Promise<void> {
  const past = (level: number): number[] =>
    Array.from({ length: historyWindows(settings.task) }, (_, back) => level + Math.sin(back));
  for (let partition = 0; partition < partitions; partition += 1) {
    const chunk: HistoryChunk = historyChunkSchema(settings.task).parse({
      type: 'history',
      snapshot: 'the past',
      chunks: 1,
      last_window_start: liveStart - settings.task.windowMicros,
      window_micros: settings.task.windowMicros,
      devices: devices
        .filter((device) => partitionOf(device, partitions) === partition)
        .map((device_id) => ({
          device_id,
          avg: past(20),
          ...Object.fromEntries(covariateColumns(settings.task).map((column) => [column, past(50)])),
          stddev: null,
        })),
    });
    await producer.send(TOPICS.history.name, [
      { key: `history/${partition}/0`, partition, value: JSON.stringify(chunk) },
    ]);
  }
}
