import { type StreamSettings } from '../../core/contracts/settings';
import { eventTopic } from '../../core/contracts/source';
import { logDeployment } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka } from '../../core/platform/kafka';
import { matchSourcePartitions } from '../../core/platform/kafka/source-partitions';
import { silentLogger } from '../../core/platform/log';
import { ensureTopics } from '../../workers/role';

/** Create the deployment's topics and log the settings that all of its processes share, before the first of them starts. @throws as `matchSourcePartitions` does. */
export async function logSettings(workerEnv: NodeJS.ProcessEnv, settings: StreamSettings): Promise<void> {
  const env = readEnvironment(workerEnv);
  const kafka = await connectKafka(env, 'fedloop-cli', silentLogger());
  try {
    await ensureTopics(kafka, env);
    await matchSourcePartitions(kafka, eventTopic(settings.source));
    const producer = await kafka.producer();
    await logDeployment(producer, [{ type: 'settings', settings }]);
    await producer.disconnect();
  } finally {
    await kafka.disconnect();
  }
}
