import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka as KafkaJs, logLevel, type Admin } from 'kafkajs';
import { Processes } from '../../cli/processes/processes';
import { silentProgress } from '../../cli/progress/progress';
import { cacheFolder } from '../../cli/servers/cache';
import { findJava } from '../../cli/servers/java';
import { kafkaProperties } from '../../cli/servers/kafka-properties';
import { obtainKafka } from '../../cli/servers/obtain-kafka';
import { freePorts } from '../../cli/servers/ports';
import { clusterId } from '../../cli/servers/start-kafka';
import { runTool } from '../../cli/servers/tool';
import { poll } from '../../cli/shared/wait';
import { WORKER_ROLES } from '../../cli/system/worker-process';
import { Authority } from './certificates';

/** Listeners of the broker, each with another way to come in. */
const PROTOCOLS = {
  /** Everybody, as a user that may do everything. */
  OPEN: 'PLAINTEXT',
  /** PLAIN and SCRAM, without TLS. */
  USERS: 'SASL_PLAINTEXT',
  /** SCRAM through TLS. */
  SECURE: 'SASL_SSL',
  /** Clients with a certificate. */
  MUTUAL: 'SSL',
  /** TLS with a certificate that is out of date. */
  EXPIRED: 'SSL',
  /** OAUTHBEARER, behind a cable that can be cut. */
  TOKENS: 'SASL_PLAINTEXT',
} as const;
type ListenerName = keyof typeof PROTOCOLS;

export const PASSWORD = 'pass-word-of-Alice';
/** Alice may do everything; the others what ACLs allow. */
const PLAIN_USERS = ['alice', 'bob', ...WORKER_ROLES];
const READY_MILLIS = 40_000;

/** A real broker with users, certificates and ACLs. */
export class SecuredBroker {
  private constructor(
    readonly folder: string,
    readonly authority: Authority,
    readonly admin: Admin,
    readonly processes: Processes,
    private readonly ports: Readonly<Record<ListenerName, number>>,
    readonly cable: Cable,
  ) {}

  static async start(): Promise<SecuredBroker> {
    const folder = await mkdtemp(join(tmpdir(), 'fedloop-secured-'));
    const authority = Authority.make(folder, 'authority');
    const processes = Processes.start();
    const [java, classPath] = await Promise.all([
      findJava(),
      obtainKafka(cacheFolder(), processes, silentProgress),
    ]);
    const names = Object.keys(PROTOCOLS) as ListenerName[];
    const [controllerPort = 0, ...free] = await freePorts(names.length + 1);
    const ports = Object.fromEntries(names.map((name, index) => [name, free[index] ?? 0])) as Record<
      ListenerName,
      number
    >;
    const cable = await Cable.to(ports.TOKENS);
    const file = join(folder, 'server.properties');
    const base = kafkaProperties({ brokerPort: 0, controllerPort, dataFolder: join(folder, 'data') });
    const own = propertiesOf(ports, controllerPort, cable.port, await keyStores(folder, authority));
    // Of two lines for one property, the later one holds.
    await writeFile(file, base + own);
    await mkdir(join(folder, 'logs'), { recursive: true });
    const scram = ['256', '512'].map((bits) => `SCRAM-SHA-${bits}=[name=alice,password=${PASSWORD}]`);
    await runTool({
      processes,
      name: 'format',
      program: java,
      args: [
        ...['-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.tools.StorageTool', 'format'],
        ...[`--cluster-id=${clusterId()}`, `--config=${file}`],
        ...scram.flatMap((user) => ['--add-scram', user]),
      ],
      logFile: join(folder, 'logs', 'format.log'),
    });
    await processes.spawn({
      name: 'Kafka',
      command: java,
      args: ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classPath, 'kafka.Kafka', file],
      cwd: folder,
      logFile: join(folder, 'logs', 'kafka.log'),
    });
    const admin = await adminAt(`127.0.0.1:${ports.OPEN}`);
    return new SecuredBroker(folder, authority, admin, processes, ports, cable);
  }

  at(name: ListenerName): string {
    return `127.0.0.1:${name === 'TOKENS' ? this.cable.port : this.ports[name]}`;
  }

  async stop(): Promise<void> {
    await this.admin.disconnect();
    await this.processes.stopAll(5_000);
    await this.cable.close();
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

interface KeyStores {
  readonly valid: string;
  readonly expired: string;
  readonly trusted: string;
}

/** Kafka reads key and certificate from one file. */
async function keyStores(folder: string, authority: Authority): Promise<KeyStores> {
  const storeOf = async (name: string, days: number): Promise<string> => {
    const { key, certificate } = authority.sign(name, { days });
    const file = join(folder, `${name}.store`);
    await writeFile(file, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'));
    return file;
  };
  return {
    valid: await storeOf('broker', 2),
    expired: await storeOf('expired', -1),
    trusted: authority.certificate,
  };
}

function propertiesOf(
  ports: Readonly<Record<ListenerName, number>>,
  controllerPort: number,
  cablePort: number,
  stores: KeyStores,
): string {
  const names = Object.keys(PROTOCOLS) as ListenerName[];
  const module = (name: string): string => `org.apache.kafka.common.security.${name} required`;
  const properties: Readonly<Record<string, string>> = {
    listeners: [
      ...names.map((name) => `${name}://127.0.0.1:${ports[name]}`),
      `CONTROLLER://127.0.0.1:${controllerPort}`,
    ].join(','),
    'advertised.listeners': names
      .map((name) => `${name}://127.0.0.1:${name === 'TOKENS' ? cablePort : ports[name]}`)
      .join(','),
    'listener.security.protocol.map': [
      ...names.map((name) => `${name}:${PROTOCOLS[name]}`),
      'CONTROLLER:PLAINTEXT',
    ].join(','),
    'inter.broker.listener.name': 'OPEN',
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS;User:alice',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': stores.valid,
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.location': stores.trusted,
    'listener.name.expired.ssl.keystore.type': 'PEM',
    'listener.name.expired.ssl.keystore.location': stores.expired,
    'listener.name.mutual.ssl.client.auth': 'required',
    'listener.name.users.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.users.plain.sasl.jaas.config': `${module('plain.PlainLoginModule')} ${PLAIN_USERS.map((name) => `user_${name}="${PASSWORD}"`).join(' ')};`,
    'listener.name.users.scram-sha-256.sasl.jaas.config': `${module('scram.ScramLoginModule')};`,
    'listener.name.users.scram-sha-512.sasl.jaas.config': `${module('scram.ScramLoginModule')};`,
    'listener.name.secure.sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.secure.scram-sha-512.sasl.jaas.config': `${module('scram.ScramLoginModule')};`,
    'listener.name.tokens.sasl.enabled.mechanisms': 'OAUTHBEARER',
    'listener.name.tokens.oauthbearer.sasl.jaas.config': `${module('oauthbearer.OAuthBearerLoginModule')} unsecuredLoginStringClaim_sub="broker";`,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

async function adminAt(broker: string): Promise<Admin> {
  const ready = await poll(
    async () => {
      const admin = new KafkaJs({
        brokers: [broker],
        logLevel: logLevel.NOTHING,
        retry: { retries: 0 },
      }).admin();
      const answered = await admin
        .connect()
        .then(() => admin.describeCluster())
        .catch(() => undefined);
      if (answered !== undefined) return admin;
      await admin.disconnect();
      return undefined;
    },
    { everyMillis: 200, timeoutMillis: READY_MILLIS },
  );
  if (ready === undefined) throw new Error('the secured broker does not become ready');
  return ready;
}

/** A way to the broker that a test can cut: connections through it end, and new ones are made as before. */
export class Cable {
  private readonly ends = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async to(port: number): Promise<Cable> {
    const server = createServer();
    const cable = new Cable(server);
    server.on('connection', (near) => {
      const far = connect({ host: '127.0.0.1', port });
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        cable.ends.add(from);
        from.pipe(into);
        from.on('error', () => into.destroy());
        from.on('close', () => {
          cable.ends.delete(from);
          into.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return cable;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    for (const end of this.ends) end.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
