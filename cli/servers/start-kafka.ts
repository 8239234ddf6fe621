import { randomBytes } from 'node:crypto';
import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { machineSentenceOfLog } from '../../core/contracts/machine-trouble';
import { connectKafka } from '../../core/platform/kafka';
import { readEnvironment } from '../../core/platform/config';
import { silentLogger } from '../../core/platform/log';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';
import { type Child } from '../processes/child';
import { type Processes } from '../processes/processes';
import { poll } from '../shared/wait';
import { prepareKafkaFolder } from './kafka-folder';
import { kafkaProperties } from './kafka-properties';
import { answers, freePorts } from './ports';
import { serverEnvironment } from './own-environment';
import { runTool } from './tool';

export interface KafkaServer {
  /** `host:port`. */
  readonly broker: string;
  readonly child: Child;
}

interface KafkaStart {
  readonly processes: Processes;
  readonly java: string;
  readonly classPath: string;
  /** The broker's log and configuration; a folder that a broker has used before is gone on with. */
  readonly folder: string;
  readonly logFolder: string;
  /** A port that was checked to be free, or any. */
  readonly port?: number | undefined;
  /** Where clients reach it, when something stands between. */
  readonly advertisedPort?: number | undefined;
}

/** Enough for a fleet of 2,407 devices at full speed; the page cache does the real work. */
const HEAP = ['-Xms128m', '-Xmx512m'];

/**
 * Start a broker and wait until it answers.
 * @throws FedloopError `ServerUnavailable` when it ends, doesn't answer in time, or would start on a full disk.
 */
export async function startKafka(start: KafkaStart): Promise<KafkaServer> {
  for (let attempt = 1; ; attempt += 1) {
    const [free, controllerPort] = await freePorts(2);
    const brokerPort = start.port ?? free;
    if (brokerPort === undefined || controllerPort === undefined)
      throw new FedloopError('Internal', 'no free ports');
    const child = await launch(start, brokerPort, controllerPort);
    const broker = `127.0.0.1:${brokerPort}`;
    const ready = await whenReady(child, broker);
    if (ready) return { broker, child };
    await child.stop(0);
    const log = await child.tail();
    if (
      /BindException|Address already in use/.test(log) &&
      start.port === undefined &&
      attempt < LIMITS.portAttempts
    )
      continue;
    throw notReady(start, log);
  }
}

async function launch(start: KafkaStart, brokerPort: number, controllerPort: number): Promise<Child> {
  const dataFolder = join(start.folder, 'data');
  const properties = join(start.folder, 'server.properties');
  await prepareKafkaFolder(start.folder, dataFolder);
  const { advertisedPort } = start;
  await writeFile(properties, kafkaProperties({ brokerPort, advertisedPort, controllerPort, dataFolder }));
  const logging = [
    `-Dlog4j2.configurationFile=${packageFile('cli', 'servers', 'kafka', 'log4j2.xml')}`,
    `-Dfedloop.kafka.log=${serverLog(start)}`,
  ];
  if (!(await isFormatted(dataFolder))) {
    await runTool({
      processes: start.processes,
      name: 'Kafka’s StorageTool',
      program: start.java,
      // A JVM that lives for a second should not spend it on optimising.
      args: [
        '-XX:TieredStopAtLevel=1',
        ...logging,
        '-cp',
        start.classPath,
        'kafka.tools.StorageTool',
        'format',
        `--cluster-id=${clusterId()}`,
        `--config=${properties}`,
      ],
      env: serverEnvironment(process.env),
      logFile: join(start.logFolder, 'kafka-format.log'),
    });
  }
  return start.processes.spawn({
    name: 'Kafka',
    command: start.java,
    env: serverEnvironment(process.env),
    args: [
      '-server',
      ...HEAP,
      '-Djava.awt.headless=true',
      ...logging,
      '-cp',
      start.classPath,
      'kafka.Kafka',
      properties,
    ],
    cwd: start.folder,
    logFile: join(start.logFolder, 'kafka-console.log'),
    ownLogFile: serverLog(start),
    dataFolder,
  });
}

/** Java's words for a class path of which files are missing or damaged. */
const BROKEN_JARS =
  /NoClassDefFoundError|ClassNotFoundException|ZipException|Could not find or load main class/;

function notReady({ folder, logFolder, classPath }: KafkaStart, log: string): FedloopError {
  const cause = new Error(log);
  const jars = dirname(classPath);
  if (BROKEN_JARS.test(log))
    return new FedloopError('ServerUnavailable', `the files of Kafka in ${jars} are damaged or incomplete`, {
      hint: 'Delete that folder and start again: they are fetched anew.',
      cause,
    });
  const what = 'Kafka was started but did not become ready';
  const said = machineSentenceOfLog(log, folder);
  return new FedloopError('ServerUnavailable', said === undefined ? what : `${what}: ${said.message}`, {
    hint: [said?.hint ?? [], `Its log is in ${logFolder}.`].flat().join(' '),
    cause,
  });
}

/** 128 random bits as Kafka writes them: base64url, and never with a dash in front, which its tools take for an option. */
export function clusterId(): string {
  return randomBytes(16).toString('base64url').replace(/^-/, '_');
}

/** True once a client gets an answer; false when the process has ended or time is up. */
async function whenReady(child: Child, broker: string): Promise<boolean> {
  const listens = await poll(
    async () => {
      if (!child.running) return false;
      return (await answers(broker, LIMITS.externalConnectMillis)) ? true : undefined;
    },
    { everyMillis: LIMITS.readyPollMillis, timeoutMillis: LIMITS.kafkaReadyMillis },
  );
  if (listens !== true) return false;
  const asked = requireBroker([broker], {}).then(
    () => true,
    () => false,
  );
  return Promise.race([asked, child.ended.then(() => false)]);
}

/**
 * Ask brokers for their cluster, through the same client that the workers use.
 * @param env how to make oneself known to them; empty for a broker of our own.
 * @throws FedloopError `KafkaUnavailable` at once when no address has a listener.
 */
export async function requireBroker(brokers: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  const listening = await Promise.all(brokers.map((broker) => answers(broker, LIMITS.externalConnectMillis)));
  if (!listening.includes(true)) {
    throw new FedloopError('KafkaUnavailable', `no Kafka broker answers at ${brokers.join(', ')}`, {
      hint: 'Check KAFKA_BROKERS and that the broker runs, or unset it to let fedloop start one.',
    });
  }
  const named = readEnvironment({ ...env, KAFKA_BROKERS: brokers.join(',') });
  const kafka = await connectKafka(named, 'fedloop-cli', silentLogger());
  await kafka.disconnect();
}

async function isFormatted(dataFolder: string): Promise<boolean> {
  return stat(join(dataFolder, 'meta.properties')).then(
    () => true,
    () => false,
  );
}

function serverLog(start: KafkaStart): string {
  return join(start.logFolder, 'kafka.log');
}
