import { type SettingsMessage } from '../../core/contracts/deployments';
import { type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { ensureTopics } from '../../workers/role';

/** Key that the deployment log keeps the settings under. */
const SETTINGS_KEY = 'settings';

/** Create the deployment's topics and log the settings that all of its processes share, before the first of them starts. */
export async function logSettings(workerEnv: NodeJS.ProcessEnv, settings: StreamSettings): Promise<void> {
  const env = readEnvironment(workerEnv);
  const kafka = await connectKafka(env, 'fedloop-cli', silentLogger());
  try {
    await ensureTopics(kafka, env);
    const producer = await kafka.producer();
    const message: SettingsMessage = { type: 'settings', settings };
    await producer.send(TOPICS.deployments.name, [{ key: SETTINGS_KEY, value: JSON.stringify(message) }]);
    await producer.disconnect();
  } finally {
    await kafka.disconnect();
  }
}
