import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect as connectPlain, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } from 'kafkajs';
import pino from 'pino';
import { FedloopError, messageWithHint } from '../../core/contracts/errors';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { Processes } from '../../cli/processes/processes';
import { silentProgress } from '../../cli/progress/progress';
import { cacheFolder } from '../../cli/servers/cache';
import { obtainTemporal } from '../../cli/servers/obtain-temporal';
import { startTemporal, type TemporalServer } from '../../cli/servers/start-temporal';
import { connectTemporal } from '../../cli/servers/temporal-client';
import { packageFile } from '../../cli/shared/package-root';
import { poll } from '../../cli/shared/wait';
import { logSettings } from '../../cli/system/log-settings';
import { startWorker, type WorkerRole } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { connectToTemporal } from '../../workers/temporal';
import { documentedAcls } from '../support/acl-table';
import { runFedloop } from '../support/run-fedloop';
import { Authority, lockKey, type Signed } from '../support/certificates';
import { describeWith, OPENSSL } from '../support/requirements';
import { PASSWORD, SecuredBroker } from '../support/secured-broker';

type Variables = Readonly<Record<string, string>>;

/** The right sentence has to come within it. */
const SECONDS_TO_SAY = 5;

describeWith(OPENSSL, 'a Kafka broker with users, certificates and ACLs', () => {
  let broker: SecuredBroker;
  const written: string[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => written.push(line) });

  beforeAll(async () => {
    broker = await SecuredBroker.start();
  }, 60_000);
  afterAll(async () => {
    await broker.stop();
  }, 30_000);

  const connect = (variables: Variables): Promise<Kafka> =>
    connectKafka(readEnvironment({ FEDLOOP_TOPIC_PREFIX: 't-', ...variables }), 'fedloop-test', log);

  /** A record goes through a topic, both ways. */
  async function works(variables: Variables): Promise<void> {
    const kafka = await connect(variables);
    await kafka.createTopics([{ name: 'letters', partitions: 1, cleanup: 'delete' }]);
    const producer = await kafka.producer();
    const seen: string[] = [];
    const tail = await kafka.tail({
      topic: 'letters',
      from: 'end',
      onRecords: (records) => {
        seen.push(...records.map(({ value }) => String(value)));
      },
    });
    await producer.send('letters', [{ key: null, value: 'a' }]);
    await tail.sync();
    expect(seen).toEqual(['a']);
    await tail.close();
    await producer.disconnect();
    await kafka.disconnect();
  }

  /** What a start ends with; it must do so in time. */
  async function refusal(variables: Variables): Promise<FedloopError> {
    const since = performance.now();
    const outcome = await connect(variables).then(
      async (kafka) => {
        await kafka.disconnect();
        return undefined;
      },
      (thrown: unknown) => thrown,
    );
    expect((performance.now() - since) / 1_000).toBeLessThan(SECONDS_TO_SAY);
    if (!(outcome instanceof FedloopError))
      throw new Error(`not refused with a sentence: ${String(outcome)}`);
    return outcome;
  }

  const users = (mechanism: string, password = PASSWORD, username = 'alice'): Variables => ({
    KAFKA_BROKERS: broker.at('USERS'),
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  });
  const secure = (): Variables => ({
    ...users('SCRAM-SHA-512'),
    KAFKA_BROKERS: broker.at('SECURE'),
    KAFKA_TLS: 'true',
    KAFKA_CA: broker.authority.certificate,
  });
  const mutual = (): Variables => ({
    KAFKA_BROKERS: broker.at('MUTUAL'),
    KAFKA_TLS: 'true',
    KAFKA_CA: broker.authority.certificate,
  });

  it.each(['PLAIN', 'scram-sha-256', 'SCRAM_SHA_512', 'ScramSha256'])(
    'lets a user in with the mechanism %s, in any spelling',
    async (mechanism) => {
      await works(users(mechanism));
    },
  );

  it('lets a user in through TLS, by the authority of KAFKA_CA', async () => {
    await works(secure());
  });

  it('lets a client in by its certificate, whose key may be locked', async () => {
    const client = broker.authority.sign('alice');
    await broker.admin.createAcls({
      acl: (['TOPIC', 'GROUP', 'CLUSTER'] as const).map((kind) => ({
        resourceType: AclResourceTypes[kind],
        resourceName: kind === 'CLUSTER' ? 'kafka-cluster' : '*',
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: 'User:CN=alice',
        host: '*',
        operation: AclOperationTypes.ALL,
        permissionType: AclPermissionTypes.ALLOW,
      })),
    });
    await works({
      ...mutual(),
      KAFKA_CERT: client.certificate,
      KAFKA_KEY: lockKey(client, 'key-word'),
      KAFKA_KEY_PASSWORD: 'key-word',
    });
  });

  describe('says within five seconds, in one sentence, that', () => {
    it.each(['plain', 'scram-sha-256'])('the password is wrong (%s)', async (mechanism) => {
      const thrown = await refusal(users(mechanism, 'wrong-word'));
      expect(thrown.code).toBe('InvalidConfig');
      expect(messageWithHint(thrown)).toBe(
        `the Kafka broker ${broker.at('USERS')} refuses the user or the password (${mechanism.toUpperCase()}). Correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.`,
      );
    });

    it('the mechanism is not offered', async () => {
      const thrown = await refusal({ ...secure(), KAFKA_SASL_MECHANISM: 'plain' });
      expect(messageWithHint(thrown)).toMatch(/does not offer the mechanism PLAIN. Set KAFKA_SASL_MECHANISM/);
    });

    it('the authority is unknown, or another', async () => {
      expect(messageWithHint(await refusal({ ...secure(), KAFKA_CA: '' }))).toMatch(
        /signed by an unknown authority. Name the file .* in KAFKA_CA/,
      );
      const other = Authority.make(broker.folder, 'other').certificate;
      expect(messageWithHint(await refusal({ ...secure(), KAFKA_CA: other }))).toMatch(
        /is not signed by those in the file of KAFKA_CA/,
      );
    });

    it('the broker’s certificate is out of date', async () => {
      const thrown = await refusal({ ...mutual(), KAFKA_BROKERS: broker.at('EXPIRED') });
      expect(messageWithHint(thrown)).toMatch(
        /the certificate of the Kafka broker \S+ is out of date. Renew it/,
      );
    });

    it('the own certificate is out of date', async () => {
      const { certificate, key } = broker.authority.sign('late', { days: -1 });
      const thrown = await refusal({ ...mutual(), KAFKA_CERT: certificate, KAFKA_KEY: key });
      expect(messageWithHint(thrown)).toMatch(/the certificate in \S+ is out of date/);
    });

    it('a certificate is missing, or signed by an authority that the broker does not know', async () => {
      expect(messageWithHint(await refusal(mutual()))).toMatch(
        /lets nobody in without a certificate. Name the files .* KAFKA_CERT and KAFKA_KEY/,
      );
      const { certificate, key } = Authority.make(broker.folder, 'stranger').sign('alice');
      const thrown = await refusal({ ...mutual(), KAFKA_CERT: certificate, KAFKA_KEY: key });
      expect(messageWithHint(thrown)).toMatch(/refuses our certificate/);
    });

    it('the listener speaks no TLS', async () => {
      const thrown = await refusal({ ...mutual(), KAFKA_BROKERS: broker.at('OPEN') });
      expect(messageWithHint(thrown)).toMatch(
        /speaks no TLS there. Give KAFKA_BROKERS with the port for TLS/,
      );
    });

    it('the listener speaks TLS', async () => {
      const thrown = await refusal({ ...users('plain'), KAFKA_BROKERS: broker.at('SECURE') });
      expect(messageWithHint(thrown)).toMatch(/speaks TLS there. Set KAFKA_TLS=true/);
    });

    it('a user is needed, and by which mechanism', async () => {
      const thrown = await refusal({ KAFKA_BROKERS: broker.at('USERS') });
      expect(messageWithHint(thrown)).toMatch(
        /lets nobody in without a user. Set KAFKA_SASL_MECHANISM \(it offers (?=.*PLAIN)(?=.*SCRAM-SHA-256)/,
      );
    });

    it('no user is needed', async () => {
      const thrown = await refusal({ ...users('plain'), KAFKA_BROKERS: broker.at('OPEN') });
      expect(messageWithHint(thrown)).toMatch(/asks for no user there. Unset KAFKA_SASL_MECHANISM/);
    });
  });

  describe('without an ACL', () => {
    let kafka: Kafka;
    beforeAll(async () => {
      const owner = await connect(users('plain'));
      await owner.createTopics([{ name: 'closed', partitions: 1, cleanup: 'delete' }]);
      await owner.disconnect();
      kafka = await connect(users('plain', PASSWORD, 'bob'));
    });
    afterAll(async () => {
      await kafka.disconnect();
    });

    const consume = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        kafka
          .consume({
            groupId: 'readers',
            topics: ['closed'],
            onAssigned: () => {
              resolve('assigned');
            },
            onBatch: () => Promise.resolve(),
            onFailure: reject,
          })
          .catch(reject);
      });

    const tries: readonly (readonly [string, RegExp, () => Promise<unknown>])[] = [
      [
        'makes no topic',
        /to make topics: it lacks an ACL of the topic/,
        () => kafka.createTopics([{ name: 'new', partitions: 1, cleanup: 'delete' }]),
      ],
      [
        'writes nothing',
        /to write to t-closed: it lacks an ACL of the topic/,
        async () => {
          const producer = await kafka.producer();
          await producer.send('closed', [{ key: null, value: 'a' }]).finally(() => producer.disconnect());
        },
      ],
      [
        'follows nothing',
        /to follow t-closed: it lacks an ACL of the topic/,
        () => kafka.tail({ topic: 'closed', from: 'start', onRecords: () => undefined }),
      ],
      ['joins no group', /to read t-closed as t-readers: it lacks an ACL/, consume],
      [
        'asks for no offsets of a group',
        /to look at t-readers: it lacks an ACL of the consumer group/,
        () => kafka.committed('readers', 'closed'),
      ],
    ];
    it.each(tries)('a user %s, and is told so within five seconds', async (_what, sentence, attempt) => {
      const since = performance.now();
      const thrown: unknown = await attempt().catch((cause: unknown) => cause);
      expect((performance.now() - since) / 1_000).toBeLessThan(SECONDS_TO_SAY);
      expect(thrown).toBeInstanceOf(FedloopError);
      expect(messageWithHint(thrown)).toMatch(sentence);
      expect(messageWithHint(thrown)).toMatch(/Give it the ACLs/);
    });
  });

  describe('that takes tokens', () => {
    let file: string;
    beforeAll(async () => {
      file = join(broker.folder, 'token');
      await broker.admin.createAcls({
        acl: (
          [
            ['TOPIC', 't-'],
            ['GROUP', 't-'],
            ['GROUP', 'tail-t-'],
          ] as const
        ).map(([kind, resourceName]) => ({
          resourceType: AclResourceTypes[kind],
          resourceName,
          resourcePatternType: ResourcePatternTypes.PREFIXED,
          principal: 'User:carol',
          host: '*',
          operation: AclOperationTypes.ALL,
          permissionType: AclPermissionTypes.ALLOW,
        })),
      });
    });
    const tokens = (): Variables => ({
      KAFKA_BROKERS: broker.at('TOKENS'),
      KAFKA_SASL_MECHANISM: 'OAUTHBEARER',
      KAFKA_OAUTH_TOKEN_FILE: file,
    });

    it('lets in whoever has one in KAFKA_OAUTH_TOKEN_FILE', async () => {
      writeFileSync(file, `${tokenOf('carol')}\n`);
      await works(tokens());
    });

    it('refuses one that is out of date, and says so', async () => {
      writeFileSync(file, tokenOf('carol', -60));
      expect(messageWithHint(await refusal(tokens()))).toMatch(/refuses the token. Check issuer/);
    });

    it('lets in whoever gets one for client credentials, and says why there is none', async () => {
      const server = await tokenServer('fedloop', 'client-secret');
      const { port } = server.address() as AddressInfo;
      const asked = {
        ...tokens(),
        KAFKA_OAUTH_TOKEN_FILE: '',
        KAFKA_OAUTH_TOKEN_URL: `http://127.0.0.1:${port}/token`,
        KAFKA_OAUTH_CLIENT_ID: 'fedloop',
      };
      await works({ ...asked, KAFKA_OAUTH_CLIENT_SECRET: 'client-secret' });
      const thrown = await refusal({ ...asked, KAFKA_OAUTH_CLIENT_SECRET: 'other-secret' });
      expect(messageWithHint(thrown)).toMatch(/gives no token \(status 401\): check KAFKA_OAUTH_CLIENT_ID/);
      server.close();
    });

    it('is tried again when it refuses a login later on; log and status say so until it is mended', async () => {
      writeFileSync(file, tokenOf('carol'));
      const kafka = await connect({ ...tokens(), FEDLOOP_SESSION_TIMEOUT: '2s' });
      const seen: string[] = [];
      const failures: unknown[] = [];
      await kafka.createTopics([{ name: 'letters', partitions: 1, cleanup: 'delete' }]);
      const consumer = await kafka.consume({
        groupId: 'patient',
        topics: ['letters'],
        onAssigned: () => undefined,
        onBatch: (batch) => {
          seen.push(...batch.records.map(({ value }) => String(value)));
          batch.resolve(batch.next);
          return Promise.resolve();
        },
        onFailure: (cause) => failures.push(cause),
      });
      const producer = await kafka.producer('outage');
      await producer.send('letters', [{ key: null, value: 'before' }]);
      await until(() => seen.includes('before'));

      writeFileSync(file, tokenOf('carol', -60));
      broker.cable.cut();
      await until(() => kafka.trouble() !== undefined);
      expect(kafka.trouble()?.message).toMatch(/refuses the token/);
      const sending = producer.send('letters', [{ key: null, value: 'after' }]);
      await sleep(3_000);

      writeFileSync(file, tokenOf('carol'));
      await sending;
      await until(() => seen.includes('after'));
      expect(kafka.trouble()).toBeUndefined();
      expect(failures).toEqual([]);
      const said = written.filter((line) => /refuses the token|lets us in again/.test(line));
      expect(said.filter((line) => line.includes('"level":50'))).not.toEqual([]);
      await consumer.stop();
      await producer.disconnect();
      await kafka.disconnect();
    }, 40_000);
  });

  it('lets the workers of a fleet work with the ACLs of docs/scaling.md alone, and a round end', async () => {
    const { processes, folder } = broker;
    const prefix = 'acl.';
    const program = await obtainTemporal(cacheFolder(), processes, silentProgress);
    const temporal = await startTemporal({
      processes,
      program,
      database: join(folder, 'temporal', 'temporal.db'),
      logFolder: join(folder, 'logs'),
    });
    const envOf = (user: string): NodeJS.ProcessEnv => ({
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      ...users('plain', PASSWORD, user),
      TEMPORAL_ADDRESS: temporal.address,
      FEDLOOP_TOPIC_PREFIX: prefix,
      FEDLOOP_WAREHOUSE: join(folder, 'warehouse.duckdb'),
      FEDLOOP_PROCESSED: join(folder, 'processed'),
      FEDLOOP_MODELS: join(folder, 'models'),
      FEDLOOP_EVALUATION: JSON.stringify({ rollback: 'off', onDrift: 'off', firstRound: 'off' }),
      FEDLOOP_SIMULATION: JSON.stringify({ data: packageFile('data', 'weather'), devices: 20 }),
    });
    await logSettings(envOf('alice'), DEFAULT_STREAM_SETTINGS);
    const commands: string[] = [];
    const start = async (role: WorkerRole): Promise<string> => {
      await broker.admin.createAcls({ acl: documentedAcls(role, prefix) });
      const worker = await startWorker(processes, role, {
        env: envOf(role),
        logFolder: join(folder, 'logs'),
        cwd: folder,
      });
      commands.push(commandLine(worker.child.pid));
      return worker.child.logFile;
    };
    const logs = [await start('fleet')];
    logs.push(...(await Promise.all((['rounds', 'site', 'stream', 'analytics'] as const).map(start))));
    const round = await runFedloop(
      [
        'round',
        'start',
        '--wait',
        '--input',
        '{"participants": 10, "windows": 1, "gate": {"minWindows": 1}}',
      ],
      { cwd: folder, env: envOf('alice') },
    );
    expect(round).toMatchObject({ code: 0 });
    const texts = logs.map((file) => readFileSync(file, 'utf8'));
    const refused = texts
      .flatMap((text) => text.split('\n'))
      .filter((line) => /lacks an ACL|[Nn]ot authorized|AUTHORIZATION_FAILED/.test(line));
    expect(refused).toEqual([]);
    expect(texts.filter((text) => text.includes(PASSWORD))).toEqual([]);
    expect(commands.filter((command) => command.includes(PASSWORD))).toEqual([]);
  }, 60_000);

  it('finds no secret in the log, at any level', () => {
    const secrets = [
      PASSWORD,
      'wrong-word',
      'key-word',
      'client-secret',
      'other-secret',
      tokenOf('carol').slice(0, 20),
    ];
    expect(secrets.filter((secret) => written.some((line) => line.includes(secret)))).toEqual([]);
  });
});

describeWith(OPENSSL, 'a Temporal server behind TLS that asks for a certificate', () => {
  let folder: string;
  let processes: Processes;
  let temporal: TemporalServer;
  let authority: Authority;
  let client: Signed;
  const doors: TlsServer[] = [];
  let address: string;
  let late: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'fedloop-temporal-tls-'));
    processes = Processes.start();
    const program = await obtainTemporal(cacheFolder(), processes, silentProgress);
    temporal = await startTemporal({
      processes,
      program,
      database: join(folder, 'temporal.db'),
      logFolder: folder,
    });
    authority = Authority.make(folder, 'authority');
    client = authority.sign('worker');
    address = await door(authority.sign('temporal'));
    late = await door(authority.sign('late', { days: -1 }));
  }, 60_000);
  afterAll(async () => {
    for (const server of doors) server.close();
    await processes.stopAll(5_000);
    rmSync(folder, { recursive: true, force: true });
  }, 30_000);

  /** The development server itself knows no TLS. */
  async function door({ key, certificate }: Signed): Promise<string> {
    const files = { key: readFileSync(key), cert: readFileSync(certificate) };
    const ca = readFileSync(authority.certificate);
    const [, port] = temporal.address.split(':');
    const server = createTlsServer(
      { ...files, ca, requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['h2'] },
      (near) => {
        const far = connectPlain({ host: '127.0.0.1', port: Number(port) });
        near.pipe(far).pipe(near);
        for (const end of [near, far]) end.on('error', () => undefined);
        near.on('close', () => far.destroy());
        far.on('close', () => near.destroy());
      },
    );
    doors.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const whole = (): Variables => ({
    TEMPORAL_ADDRESS: address,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: authority.certificate,
    TEMPORAL_TLS_CLIENT_CERT_PATH: client.certificate,
    TEMPORAL_TLS_CLIENT_KEY_PATH: client.key,
  });

  it('lets a command and a worker in that have one', async () => {
    const temporalClient = await connectTemporal(whole());
    await temporalClient.client.workflowService.getSystemInfo({});
    await temporalClient.close();
    const { connection } = await connectToTemporal(silentLogger(), whole());
    await connection.workflowService.getSystemInfo({});
    await connection.close();
  });

  it.each<readonly [string, RegExp, () => Variables]>([
    [
      'there is no certificate',
      /lets nobody in without a certificate/,
      () => ({ ...whole(), TEMPORAL_TLS_CLIENT_CERT_PATH: '', TEMPORAL_TLS_CLIENT_KEY_PATH: '' }),
    ],
    [
      'the certificate is from a stranger',
      /refuses our certificate/,
      () => {
        const { certificate, key } = Authority.make(folder, 'stranger').sign('worker');
        return { ...whole(), TEMPORAL_TLS_CLIENT_CERT_PATH: certificate, TEMPORAL_TLS_CLIENT_KEY_PATH: key };
      },
    ],
    [
      'the authority is unknown',
      /is signed by an unknown authority. .* TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
      () => ({ ...whole(), TEMPORAL_TLS_SERVER_CA_CERT_PATH: '' }),
    ],
    [
      'the server’s certificate is out of date',
      /is out of date/,
      () => ({ ...whole(), TEMPORAL_ADDRESS: late }),
    ],
    ['the server speaks TLS', /speaks TLS. Set TEMPORAL_TLS=true/, () => ({ TEMPORAL_ADDRESS: address })],
    [
      'the server speaks no TLS',
      /speaks no TLS. Unset TEMPORAL_TLS/,
      () => ({ ...whole(), TEMPORAL_ADDRESS: temporal.address }),
    ],
    [
      'the key is missing',
      /CERT_PATH needs TEMPORAL_TLS_CLIENT_KEY_PATH/,
      () => ({ ...whole(), TEMPORAL_TLS_CLIENT_KEY_PATH: '' }),
    ],
  ])('says to both within five seconds that %s', async (_what, sentence, variables) => {
    for (const attempt of [
      () => connectTemporal(variables()),
      () => connectToTemporal(silentLogger(), variables()),
    ]) {
      const since = performance.now();
      const thrown: unknown = await attempt().catch((cause: unknown) => cause);
      expect((performance.now() - since) / 1_000).toBeLessThan(SECONDS_TO_SAY);
      expect(thrown).toMatchObject({ code: 'InvalidConfig' });
      expect(messageWithHint(thrown)).toMatch(sentence);
    }
  });
});

/** What `ps` shows of a process; nothing where the system keeps it elsewhere. */
function commandLine(pid: number): string {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

/** A token as the broker's own unsecured validator takes it (RFC 7519, 6). */
function tokenOf(subject: string, seconds = 3_600): string {
  const now = Math.floor(Date.now() / 1_000);
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: now - 120, exp: now + seconds })}.`;
}

async function tokenServer(id: string, secret: string): Promise<Server> {
  const expected = `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
  const server = createServer((request, response) => {
    if (request.headers.authorization === expected) {
      response.end(
        JSON.stringify({ access_token: tokenOf('carol'), token_type: 'Bearer', expires_in: 3_600 }),
      );
    } else response.writeHead(401).end('{"error":"invalid_client"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

async function until(holds: () => boolean): Promise<void> {
  const held = await poll(() => Promise.resolve(holds() ? true : undefined), {
    everyMillis: 50,
    timeoutMillis: 20_000,
  });
  expect(held).toBe(true);
}
