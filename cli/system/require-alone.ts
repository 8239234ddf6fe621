import { FedloopError } from '../../core/contracts/errors';
import { STREAM_GROUP } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { type Progress } from '../progress/progress';
import { LIMITS } from '../shared/limits';
import { poll } from '../shared/wait';

/**
 * A system with a Temporal server of its own shares no decision with another one: two of the same fleet on one broker would retire each
 * other's candidates.
 * @param env that of its workers.
 * @throws FedloopError `InvalidConfig` while workers of the fleet read its events already. Those of a system that was killed are gone for
 *   the broker after their session.
 */
export async function requireAlone(
  workerEnv: NodeJS.ProcessEnv,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const env = readEnvironment(workerEnv);
  const kafka = await connectKafka(env, 'fedloop-cli', silentLogger());
  try {
    const isAlone = async (): Promise<true | undefined> =>
      (await kafka.livingGroups(STREAM_GROUP)).includes(STREAM_GROUP) ? undefined : true;
    if ((await isAlone()) === true) return;
    const step = progress.step(`Waiting until other workers of ${env.FEDLOOP_FLEET} have gone`);
    const timeoutMillis = env.FEDLOOP_SESSION_TIMEOUT + LIMITS.sessionsEndMillis;
    const alone = await poll(isAlone, { everyMillis: LIMITS.readyPollMillis, timeoutMillis, signal });
    if (alone === true) {
      step.done();
      return;
    }
    step.fail();
    throw new FedloopError(
      'InvalidConfig',
      `the fleet ${env.FEDLOOP_FLEET} runs already on this broker, with another Temporal server`,
      {
        hint: 'Take it down first, set TEMPORAL_ADDRESS to its server to add workers, or use another fleet name.',
      },
    );
  } finally {
    await kafka.disconnect();
  }
}
