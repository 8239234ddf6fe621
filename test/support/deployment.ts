import { randomUUID } from 'node:crypto';
import { type Environment } from '../../core/contracts/config';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';

/** A test's own corner of the shared broker. */
export interface TestDeployment {
  readonly env: Environment;
  readonly kafka: Kafka;
}

/** Connect under a topic prefix of its own. */
export async function testDeployment(
  variables: Readonly<Record<string, string>> = {},
): Promise<TestDeployment> {
  const env = readEnvironment({
    ...process.env,
    FEDLOOP_TOPIC_PREFIX: `t${randomUUID().slice(0, 8)}-`,
    ...variables,
  });
  return { env, kafka: await connectKafka(env, 'fedloop-test', silentLogger()) };
}
