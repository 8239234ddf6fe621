import { execFileSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { z } from 'zod';
import { type Environment } from '../../core/contracts/config';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { sourceSchema } from '../../core/contracts/source';
import { TOPICS } from '../../core/contracts/topics';
import { type IngestService, startIngest } from '../../core/ingest/service';
import { followDeployments } from '../../core/model/deployments';
import { type Kafka, type OutgoingMessage, type Producer } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { createMetrics, type Registry } from '../../core/platform/metrics';
import { startStreamService } from '../../core/stream/service';
import { testDeployment, type TestDeployment } from '../support/deployment';
import { Mosquitto, type MqttMessage } from '../support/mosquitto';
import { describeWith, MOSQUITTO, MOSQUITTO_TLS } from '../support/requirements';
import { createTopics, logSettings } from '../support/stream-deployment';

/** How ingest gets on with a real MQTT server: versions of the protocol, logins, certificates, outages, and messages of every kind. */

jest.setTimeout(120_000);

const START = Date.UTC(2026, 0, 1);
const SECRET = 'not-for-any-log';
const LOGIN = { username: 'ingest-user', password: SECRET };

const settingsFor = (url: string) => ({
  ...DEFAULT_STREAM_SETTINGS,
  source: sourceSchema.parse({ mqtt: { url, topic: '#' }, fields: { device_id: { topicPart: 1 } } }),
});

/** Sends nothing on while it is shut, as a broker that is away. */
class Gate {
  private opened = Promise.resolve();
  private open: () => void = () => undefined;

  shut(): void {
    this.opened = new Promise((resolve) => {
      this.open = resolve;
    });
  }

  release(): void {
    this.open();
  }

  before(kafka: Kafka): Kafka {
    return { ...kafka, producer: async (policy) => this.beforeProducer(await kafka.producer(policy)) };
  }

  private beforeProducer(producer: Producer): Producer {
    return {
      disconnect: () => producer.disconnect(),
      send: async (topic: string, messages: readonly OutgoingMessage[]) => {
        await this.opened;
        return producer.send(topic, messages);
      },
    };
  }
}

type Manner = 'pass' | 'refuse 5' | 'hang up on 5';
/** CONNACK of MQTT 3.1.1: unacceptable protocol version. */
const WRONG_VERSION = Buffer.from([0x20, 2, 0, 1]);

/** Stands before a server: as one that knows 3.1.1 alone, or as a network that can be cut. */
class Front {
  readonly sockets = new Set<Socket>();
  connections = 0;

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  static async before(port: number, manner: Manner): Promise<Front> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port: own } = server.address() as AddressInfo;
    const front = new Front(server, `mqtt://127.0.0.1:${own}`);
    server.on('connection', (socket) => {
      front.accept(socket, port, manner);
    });
    return front;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private accept(socket: Socket, port: number, manner: Manner): void {
    this.connections += 1;
    this.sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => this.sockets.delete(socket));
    socket.once('data', (first: Buffer) => {
      // The version stands behind the name of the protocol.
      const isFive = first[first.indexOf('MQTT') + 4] === 5;
      if (isFive && manner === 'refuse 5') socket.end(WRONG_VERSION);
      else if (isFive && manner === 'hang up on 5') socket.resetAndDestroy();
      else {
        const behind = connectTcp(port, '127.0.0.1');
        behind.on('error', () => socket.destroy()).on('close', () => socket.destroy());
        socket.on('close', () => behind.destroy());
        behind.write(first);
        socket.pipe(behind).pipe(socket);
      }
    });
  }
}

/** An ingest worker's service on a deployment of its own, with all that it logs. */
class Ingest {
  private constructor(
    readonly deployment: TestDeployment,
    readonly registry: Registry,
    private readonly service: IngestService,
    private readonly lines: readonly string[],
  ) {}

  static async start(
    url: string,
    variables: Readonly<Record<string, string>> = {},
    gate = new Gate(),
  ): Promise<Ingest> {
    const deployment = await testDeployment(variables);
    await createTopics(deployment.kafka, 1);
    return this.on(deployment, deployment.env, url, gate);
  }

  private static async on(
    deployment: TestDeployment,
    env: Environment,
    url: string,
    gate: Gate,
  ): Promise<Ingest> {
    const lines: string[] = [];
    const sink = new Writable({
      write(chunk, _, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const registry = createMetrics('ingest');
    const service = await startIngest({
      kafka: gate.before(deployment.kafka),
      env,
      settings: settingsFor(url),
      log: pino({ level: 'trace' }, sink),
      registry,
    });
    return new Ingest(deployment, registry, service, lines);
  }

  get log(): string {
    return this.lines.join('');
  }

  get health(): string | undefined {
    return this.service.health();
  }

  /** Resolves when the worker says what it waits for. */
  async trouble(): Promise<string> {
    await until(() => this.health !== undefined);
    return this.health ?? '';
  }

  async subscribed(): Promise<number> {
    const versions = (): number[] =>
      this.lines
        .map((line) => z.object({ version: z.int().optional() }).parse(JSON.parse(line)).version)
        .filter((version) => version !== undefined);
    await until(() => versions().length > 0);
    return versions().at(-1) ?? 0;
  }

  /** A counter's value by each label. */
  async counts(name: string): Promise<Record<string, number>> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    return Object.fromEntries(
      (metric?.values ?? []).map(({ labels, value }) => [
        String(Object.entries(labels).find(([label]) => label !== 'role')?.[1] ?? 'all'),
        value,
      ]),
    );
  }

  async read(count: number): Promise<void> {
    const total = async (): Promise<number> =>
      Object.values(await this.counts('fedloop_ingest_messages_total')).reduce((sum, n) => sum + n, 0);
    while ((await total()) < count) await sleep(50);
  }

  async events(): Promise<string[]> {
    const values: string[] = [];
    const tail = await this.deployment.kafka.tail({
      topic: TOPICS.stream.name,
      from: 'start',
      onRecords: (records) => void values.push(...records.map(({ value }) => String(value))),
    });
    await tail.caughtUp;
    await tail.close();
    return values;
  }

  /** What is left of the deployment may be started again. */
  async stop(): Promise<void> {
    await this.service.stop();
    await this.deployment.kafka.disconnect();
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await sleep(20);
}

function reading(device: string, step: number): MqttMessage {
  const timestamp = new Date(START + step * 1_000).toISOString();
  return { topic: `tele/${device}/SENSOR`, value: JSON.stringify({ timestamp, temperature: 20 + step }) };
}

describeWith(MOSQUITTO, 'an MQTT server that lets everybody in', () => {
  let server: Mosquitto;

  beforeAll(async () => {
    server = await Mosquitto.make();
    server.start();
  });
  afterAll(() => server.remove());

  it.each<[Manner, number]>([
    ['pass', 5],
    ['refuse 5', 4],
    ['hang up on 5', 4],
  ])('is read in the version that it knows: %s', async (manner, version) => {
    const front = await Front.before(server.port, manner);
    const ingest = await Ingest.start(front.url);
    expect(await ingest.subscribed()).toBe(version);
    await server.publish([reading('a', 0)]);
    await ingest.read(1);
    expect(ingest.health).toBeUndefined();
    await ingest.stop();
    await front.close();
  });

  it('is read alike by fleets that share it: each has a session of its own', async () => {
    const fleets = await Promise.all([1, 2].map(() => Ingest.start(server.url)));
    await Promise.all(fleets.map((ingest) => ingest.subscribed()));
    await server.publish([reading('a', 0)]);
    await Promise.all(fleets.map((ingest) => ingest.read(1)));
    for (const ingest of fleets) {
      expect(ingest.health).toBeUndefined();
      await ingest.stop();
    }
  });

  it('may send anything: what is no reading is a reject with its reason, and counted', async () => {
    await server.publish([{ ...reading('retained', 0), retain: true }]);
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const rejected: readonly (readonly [reason: string, MqttMessage])[] = [
      ['empty', { topic: 'tele/a/SENSOR', value: '' }],
      ['not-json', { topic: 'tele/a/SENSOR', value: 'on' }],
      ['not-json', { topic: 'tele/a/SENSOR', value: 'x'.repeat(1_000_000) }],
      ['not-utf8', { topic: 'tele/a/SENSOR', value: Buffer.from([0xff, 0xfe, 0]) }],
      ['not-an-object', { topic: 'tele/a/SENSOR', value: '21.5' }],
      ['bad-timestamp', { topic: 'tele/a/SENSOR', value: `{"timestamp":${deep}}` }],
      ['bad-device-id', { ...reading('', 1) }],
      ['missing-device-id', { ...reading('', 1), topic: 'tele' }],
    ];
    const ingest = await Ingest.start(server.url);
    await ingest.subscribed();
    await server.publish([
      ...rejected.map(([, message]) => message),
      { ...reading('', 2), topic: '/é/b/c' },
      reading('a', 2),
    ]);
    await ingest.read(rejected.length + 3);
    expect(await ingest.counts('fedloop_ingest_messages_total')).toEqual({
      mapped: 3,
      rejected: rejected.length,
    });
    const reasons = rejected.map(([reason]) => reason);
    expect(await ingest.counts('fedloop_ingest_rejects_total')).toEqual(
      Object.fromEntries(reasons.map((reason) => [reason, reasons.filter((one) => one === reason).length])),
    );
    const devices = (await ingest.events()).map(
      (text) => z.object({ device_id: z.string() }).parse(JSON.parse(text)).device_id,
    );
    expect(devices.sort()).toEqual(['a', 'retained', 'é']);
    await ingest.stop();
    await server.publish([{ ...reading('retained', 0), value: '', retain: true }]);
  });

  it('keeps what Kafka has not taken yet, and sends it again: nothing is lost, what comes twice is a duplicate', async () => {
    const front = await Front.before(server.port, 'pass');
    const gate = new Gate();
    const ingest = await Ingest.start(front.url, {}, gate);
    await ingest.subscribed();
    gate.shut();
    const messages = Array.from({ length: 10 }, (_, step) => reading('a', step));
    await server.publish(messages);
    while ((await ingest.counts('fedloop_ingest_pending_events'))['all'] !== messages.length) await sleep(20);
    front.cut();
    while ((await ingest.counts('fedloop_ingest_pending_events'))['all'] !== 2 * messages.length)
      await sleep(20);
    gate.release();
    await ingest.read(2 * messages.length);
    const events = await ingest.events();
    expect(events).toHaveLength(2 * messages.length);
    expect(new Set(events).size).toBe(messages.length);
    expect(await verdicts(ingest, front.url, events.length)).toMatchObject({
      windowed: messages.length,
      duplicate: messages.length,
    });
    await ingest.stop();
    await front.close();
  });
});

/** What a stream worker makes of the events. */
async function verdicts(
  { deployment }: Ingest,
  url: string,
  events: number,
): Promise<Record<string, number>> {
  const { kafka } = deployment;
  const producer = await kafka.producer();
  await logSettings(producer, settingsFor(url));
  await producer.disconnect();
  const log = silentLogger();
  const deployments = await followDeployments(kafka, log);
  const registry = createMetrics('stream');
  const stream = await startStreamService({ kafka, deployments, log, registry });
  const counts = async (): Promise<Record<string, number>> => {
    const metric = await registry.getSingleMetric('fedloop_stream_events_total')?.get();
    return Object.fromEntries(
      (metric?.values ?? []).map(({ labels, value }) => [String(labels['verdict']), value]),
    );
  };
  while (Object.values(await counts()).reduce((sum, count) => sum + count, 0) < events) await sleep(50);
  await stream.stop();
  await deployments.close();
  return counts();
}

describeWith(MOSQUITTO, 'an MQTT server that is away', () => {
  it('is tried again, less and less often, until it is there; what it kept then comes', async () => {
    const server = await Mosquitto.make();
    const ingest = await Ingest.start(server.url);
    expect(await ingest.trouble()).toMatch(/^the MQTT server mqtt:\/\/\S+ is away: .*connect ECONNREFUSED/);
    server.start();
    await ingest.subscribed();
    await server.stop();
    expect(await ingest.trouble()).toContain('is away');
    server.start();
    const messages = Array.from({ length: 20 }, (_, step) => reading('a', step));
    await sleep(100);
    await server.publish(messages);
    await ingest.read(messages.length);
    expect(new Set(await ingest.events()).size).toBe(messages.length);
    expect(ingest.health).toBeUndefined();
    await ingest.stop();
    await server.remove();
  });
});

describeWith(MOSQUITTO_TLS, 'an MQTT server that wants to know who comes', () => {
  let server: Mosquitto;
  let folder: string;
  let tls: Mosquitto;
  let pem: (name: string) => string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fedloop-tls-'));
    pem = (name) => join(folder, `${name}.pem`);
    certificates(pem);
    const users = join(folder, 'users');
    execFileSync('mosquitto_passwd', ['-b', '-c', users, LOGIN.username, LOGIN.password]);
    const login = ['allow_anonymous false', `password_file ${users}`];
    server = await Mosquitto.make(login);
    const keys = [`certfile ${pem('server')}`, `keyfile ${pem('server-key')}`];
    tls = await Mosquitto.make([...keys, 'allow_anonymous true'], folder);
    server.start();
    tls.start();
  });
  afterAll(() => Promise.all([server.remove(), tls.remove()]));

  const variables = (login: Partial<typeof LOGIN>): Record<string, string> => ({
    ...(login.username === undefined ? {} : { FEDLOOP_MQTT_USERNAME: login.username }),
    ...(login.password === undefined ? {} : { FEDLOOP_MQTT_PASSWORD: login.password }),
  });

  it('takes user and password from the environment, which no log has', async () => {
    const ingest = await Ingest.start(server.url, variables(LOGIN));
    await ingest.subscribed();
    await server.publish([reading('a', 0)], LOGIN);
    await ingest.read(1);
    expect(ingest.log).toContain('subscribed');
    expect(ingest.log).not.toContain(SECRET);
    expect(ingest.log).not.toContain(LOGIN.username);
    await ingest.stop();
  });

  it.each([
    [
      variables({ ...LOGIN, password: 'wrong-one' }),
      'refuses the user or the password: correct FEDLOOP_MQTT_',
    ],
    [{}, 'lets nobody in without a user: set FEDLOOP_MQTT_USERNAME and FEDLOOP_MQTT_PASSWORD'],
  ])('says in one sentence what is wrong with a login, and does not press it', async (wrong, sentence) => {
    const front = await Front.before(server.port, 'pass');
    const since = performance.now();
    const ingest = await Ingest.start(front.url, wrong);
    expect(await ingest.trouble()).toContain(sentence);
    await until(() => front.connections === 3);
    // Half a second, then a second.
    expect(performance.now() - since).toBeGreaterThan(1_400);
    expect(ingest.log.match(/it is tried again/g)).toHaveLength(1);
    expect(ingest.log).not.toContain('wrong-one');
    await ingest.stop();
    await front.close();
  });

  it('is believed when an authority of our own has signed its certificate', async () => {
    const secure = `mqtts://127.0.0.1:${tls.port}`;
    const ingest = await Ingest.start(secure, { FEDLOOP_MQTT_CA: pem('ca') });
    await ingest.subscribed();
    expect(ingest.health).toBeUndefined();
    await ingest.stop();
  });

  it.each<[string, string, () => string, () => string | undefined]>([
    ['an unknown authority', 'unknown authority, name the file', () => at('127.0.0.1', tls), () => undefined],
    ['another authority', 'not signed by those in the file', () => at('127.0.0.1', tls), () => pem('other')],
    ['a name that it has not', 'is for another name, give', () => at('localhost', tls), () => pem('ca')],
    [
      'a port without TLS',
      'where it speaks no TLS there, give',
      () => at('127.0.0.1', server),
      () => pem('ca'),
    ],
  ])('says in one sentence what is wrong with %s', async (_, sentence, url, ca) => {
    const file = ca();
    const ingest = await Ingest.start(url(), file === undefined ? {} : { FEDLOOP_MQTT_CA: file });
    expect(await ingest.trouble()).toContain(sentence);
    expect(ingest.log.match(/it is tried again/g)).toHaveLength(1);
    await ingest.stop();
  });
});

function at(host: string, { port }: Mosquitto): string {
  return `mqtts://${host}:${port}`;
}

/** Two authorities, and a server's certificate that one has signed for 127.0.0.1 alone. */
function certificates(pem: (name: string) => string): void {
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { stdio: 'ignore' });
  };
  const key = (name: string): readonly string[] => [
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    pem(`${name}-key`),
  ];
  for (const name of ['ca', 'other'])
    openssl('req', '-x509', ...key(name), '-out', pem(name), '-subj', `/CN=${name}`, '-days', '2');
  openssl(
    ...['req', '-x509', ...key('server'), '-out', pem('server'), '-subj', '/CN=server', '-days', '2'],
    ...['-CA', pem('ca'), '-CAkey', pem('ca-key')],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'],
  );
}
