import { createHash } from 'node:crypto';
import { Kafka as KafkaJs, logLevel } from 'kafkajs';
import { deployModels } from '../../activities/shared/registry';
import { logSettings } from '../../cli/system/log-settings';
import { untrainedLineage } from '../../core/contracts/deployments';
import { type HistoryChunk } from '../../core/contracts/blocks';
import { versionOfRound } from '../../core/contracts/ids';
import { MICROS_PER_MILLI } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { followDeployments } from '../../core/model/deployments';
import { initialWeights } from '../../core/model/network';
import { networkShape, type GlobalModel } from '../../core/model/types';
import { topicPrefixOf } from '../../core/contracts/config';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { ensureTopics } from '../../workers/topics';
import { EventGenerator } from './generator';
import { partitionsOf, SETTINGS, type Workload } from './workload';

/** Versions that every device is forecast by. */
export const VERSIONS = [versionOfRound(1), versionOfRound(2)] as const;

/** Windows of the past that every device starts with: enough for the first live window to be forecast. */
const PAST_WINDOWS = 25;
const DEVICES_PER_CHUNK = 100;

/** What a run writes and the next one must not find. */
const TOPICS_OF_A_RUN = [
  TOPICS.analysis,
  TOPICS.evaluations,
  TOPICS.rejects,
  TOPICS.checkpoints,
  TOPICS.feedback,
] as const;

/**
 * Make the topics, log the settings, the devices' past and two models in force.
 * @param adapters whether devices correct the models' forecasts, as with a round's default.
 */
export async function prepareDeployment(
  env: NodeJS.ProcessEnv,
  workload: Workload,
  adapters: boolean,
): Promise<void> {
  await logSettings(env, SETTINGS);
  const log = silentLogger();
  const kafka = await connectKafka(readEnvironment(env), 'fedloop-bench', log);
  const producer = await kafka.producer();
  const deployments = await followDeployments(kafka, log);
  try {
    await logPast(producer, workload);
    const lineage = { ...untrainedLineage(1), adapters };
    await deployModels(
      producer,
      deployments,
      VERSIONS.map((_, at) => ({ model: modelOf(at), lineage })),
      VERSIONS.map((version, at) => ({
        version,
        stage: at === 0 ? ('shadow' as const) : ('champion' as const),
        round: 0,
        reason: 'to be measured',
      })),
    );
  } finally {
    await deployments.close();
    await producer.disconnect();
    await kafka.disconnect();
  }
}

/** Take away what a run has left, so that the next one starts as the first did: from the filled topic alone. */
export async function forgetRun(env: NodeJS.ProcessEnv): Promise<void> {
  const environment = readEnvironment(env);
  const client = new KafkaJs({ brokers: environment.KAFKA_BROKERS ?? [], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  await admin.connect();
  await admin.deleteTopics({
    topics: TOPICS_OF_A_RUN.map(({ name }) => topicPrefixOf(environment) + name),
  });
  await admin.disconnect();
  const kafka = await connectKafka(environment, 'fedloop-bench', silentLogger());
  await ensureTopics(kafka, environment);
  await kafka.disconnect();
}

/** Untrained weights cost as much to run as trained ones. */
function modelOf(at: number): GlobalModel {
  const { task } = SETTINGS;
  const shape = networkShape(task);
  return {
    metadata: {
      version: VERSIONS[at] ?? VERSIONS[0],
      shape,
      scaling: {
        mean: Array.from({ length: shape.inputs }, () => 0),
        scale: Array.from({ length: shape.inputs }, () => 1),
      },
      tolerance: task.target.tolerance,
      residualStddev: 0.5,
    },
    weights: initialWeights(shape, at + 1),
  };
}

async function logPast(producer: Producer, workload: Workload): Promise<void> {
  const generator = new EventGenerator(workload);
  const partitions = partitionsOf(generator.ids, workload.partitions);
  const windowMillis = SETTINGS.task.windowMicros / MICROS_PER_MILLI;
  const back = Array.from({ length: PAST_WINDOWS }, (_, window) => window + 1);
  const devices = generator.ids.map((device_id, device): HistoryChunk['devices'][number] => ({
    device_id,
    avg: back.map((window) => generator.levelOf(device, workload.startMillis - window * windowMillis)),
    humidity_avg: back.map(() => 50),
    pressure_avg: back.map(() => 1_010),
    stddev: null,
  }));
  const snapshot = createHash('sha256').update(JSON.stringify(devices)).digest('hex');
  for (let partition = 0; partition < workload.partitions; partition += 1) {
    const there = devices.filter((_, device) => partitions[device] === partition);
    for (let first = 0; first < there.length; first += DEVICES_PER_CHUNK) {
      const chunk: HistoryChunk = {
        type: 'history',
        snapshot,
        chunks: Math.ceil(there.length / DEVICES_PER_CHUNK),
        last_window_start: (workload.startMillis - windowMillis) * MICROS_PER_MILLI,
        window_micros: SETTINGS.task.windowMicros,
        devices: there.slice(first, first + DEVICES_PER_CHUNK),
      };
      const key = `history/${partition}/${first / DEVICES_PER_CHUNK}`;
      await producer.send(TOPICS.history.name, [{ key, partition, value: JSON.stringify(chunk) }]);
    }
  }
}
