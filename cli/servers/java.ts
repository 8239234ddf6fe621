import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { FedloopError } from '../../core/contracts/errors';
import { isExecutable, onPath } from './tool';
import { join } from 'node:path';

/** Kafka 4 runs on Java 17 and later. */
const MIN_JAVA = 17;

const GET_JAVA =
  'Install Java 17 or later (Debian: `apt-get install openjdk-17-jre-headless`), or set KAFKA_BROKERS to a running broker.';

/** Major version in the first lines of `java -version`: `1.8.0_392` → 8, `17.0.15` → 17. */
export function javaMajor(output: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(output);
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

/**
 * Find a Java that can run Kafka: JAVA_HOME's, else the one on PATH.
 * @throws FedloopError `ServerUnavailable` when there is none, or an old one.
 */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const home = env['JAVA_HOME'];
  const ofHome = home === undefined || home === '' ? undefined : join(home, 'bin', 'java');
  const java = ofHome !== undefined && (await isExecutable(ofHome)) ? ofHome : await onPath('java', env);
  if (java === undefined)
    throw new FedloopError('ServerUnavailable', 'Java is missing, which Kafka needs', { hint: GET_JAVA });
  const { stderr } = await promisify(execFile)(java, ['-version']).catch((cause: unknown) => {
    throw new FedloopError('ServerUnavailable', `Java at ${java} does not run`, { hint: GET_JAVA, cause });
  });
  const major = javaMajor(stderr);
  if (major === undefined || major < MIN_JAVA) {
    throw new FedloopError(
      'ServerUnavailable',
      `Java at ${java} is version ${major ?? 'unknown'}, but Kafka needs ${MIN_JAVA}`,
      {
        hint: GET_JAVA,
      },
    );
  }
  return java;
}
