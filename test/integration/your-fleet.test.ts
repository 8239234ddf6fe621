import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka as KafkaJs, logLevel, Partitioners } from 'kafkajs';
import { connectAsync } from 'mqtt';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { deploymentFileSchema, planDeployment } from '../../core/contracts/deployment-file';
import { readPage, type PageCommand } from '../support/page';
import { pumpHistory, pumpMessage, pumpReadings, type PumpMessage } from '../support/pumps';
import { describeWith, MOSQUITTO } from '../support/requirements';
import { runFedloop } from '../support/run-fedloop';

/** docs/your-fleet.md as a stranger follows it: each of its commands, in its order, on real servers, with messages as the page has them. */
jest.setTimeout(480_000);

const PAGE = readPage('your-fleet.md');
const MQTT_HEADING = 'Messages by MQTT';
const PAST_WINDOWS = 400;
const TOPIC_WINDOWS = 40;
const LIVE_MILLIS = 500;
/** Some days ago, so that a week of windows can be sent in a minute. */
const START = Math.floor((Date.now() - 3 * 86_400_000) / 3_600_000) * 3_600_000;

const fleet = `pumps${randomUUID().slice(0, 6)}`;
const topic = `plant.${fleet}`;
const brokers = process.env['KAFKA_BROKERS'] ?? '';
let home: string;
let mosquitto: ChildProcess | undefined;

/** Places and names of the page, which other tests on the same servers must not share. */
const STAND_FOR: readonly (readonly [string, string])[] = [
  ['plant.telemetry', topic],
  ['kafka:9092', brokers],
];
function inPlace(text: string): string {
  const placed = STAND_FOR.reduce((changed, [name, own]) => changed.replaceAll(name, own), text);
  return placed.replace(/\bpumps(?=$|[\s.-])/gm, fleet);
}

/** What a command of the page needs before it runs, and does after. */
interface Meaning {
  before?(): Promise<unknown>;
  /** It stays until this is true of what it has printed. */
  readonly enough?: (out: string) => boolean;
  /** What it prints, besides what the page shows. */
  readonly prints?: string;
  after?(out: string): unknown;
  /** It is run again until it prints what the page shows: what it looks at is under way. */
  readonly again?: true;
  /** Figures of what the page shows are those of its run alone. */
  readonly figuresVary?: true;
}
const NOTHING: Meaning = {};

/** Each command of the page. One that is not here fails the test: say here what it needs. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  'export KAFKA_BROKERS=kafka:9092': NOTHING,
  'init --topic plant.telemetry --fleet pumps --target /p/kw': { after: writePagesFile },
  'init --from sample.jsonl --fleet pumps --target /p/kw --out from-sample.yaml': NOTHING,
  'check --topic plant.telemetry': NOTHING,
  'check --from sample.jsonl': NOTHING,
  'backtest history/': { figuresVary: true },
  'history import history/ --dry-run': NOTHING,
  'history import history/': NOTHING,
  up: { before: keepSending },
  status: { again: true, figuresVary: true },
  'rejects list': { prints: '2 malformed' },
  'rejects list --reason unmapped --limit 3': { prints: '/ts: there is no' },
  'rejects replay --reason late': NOTHING,
  'round start --when-ready': NOTHING,
  'schedule set rounds --every 1h': NOTHING,
  'models list': { prints: 'champion' },
  watch: { enough: (out) => out.includes('champion') },
  report: { after: (out) => readFile(join(home, out.trim()), 'utf8') },
  verify: { before: () => stopSending() },
  'schedule delete rounds': NOTHING,
  down: NOTHING,
  'history import history/ --config pumps-2.yaml': { before: () => writeVariant('pumps-2', {}) },
  'up --config pumps-2.yaml': NOTHING,
  'up --config pumps-mqtt.yaml': { before: writeMqttVariant, after: publishByMqtt },
};

const client = new KafkaJs({ brokers: brokers.split(','), logLevel: logLevel.NOTHING });
const producer = client.producer({ createPartitioner: Partitioners.DefaultPartitioner });
let stopSending: () => Promise<void> = () => Promise.resolve();

async function send(readings: readonly PumpMessage[]): Promise<void> {
  const messages = readings.map((reading) => ({
    value: pumpMessage(reading),
    timestamp: String(reading.at),
  }));
  await producer.send({ topic, messages });
}

/** Live windows, one after the other; now and then a reading of some windows before. */
function keepSending(): Promise<void> {
  const until = new AbortController();
  const done = (async () => {
    for (let window = TOPIC_WINDOWS; !until.signal.aborted; window += 1) {
      await send(pumpReadings(START, window));
      if (window % 5 === 0) await send(pumpReadings(START + 1_000, window - 5).slice(0, 1));
      await sleep(LIVE_MILLIS);
    }
  })();
  stopSending = () => {
    until.abort();
    return done;
  };
  return Promise.resolve();
}

function pagesFile(): Record<string, unknown> {
  const [file] = PAGE.flatMap(({ yaml }) => yaml);
  return z.record(z.string(), z.unknown()).parse(parse(inPlace(file ?? '')));
}

/** The file that a reader makes of what `init` wrote: with names and units of their own, and otherwise the same. */
async function writePagesFile(): Promise<void> {
  const path = join(home, 'fedloop.yaml');
  const file = pagesFile();
  expect(essentials(file)).toEqual(essentials(parse(await readFile(path, 'utf8'))));
  await writeFile(path, stringify(file));
}

/** What `init` and a reader have to agree in: all but the names of sensors, their units and the tolerance. */
function essentials(file: unknown): unknown {
  const deployment = deploymentFileSchema.parse(file);
  const { fleet: name, settings } = planDeployment(deployment);
  const { task, source, watermarkMicros } = settings;
  const { device_id: id, timestamp, ...sensors } = deployment.source.fields ?? {};
  return {
    name,
    topic: source.topic,
    id,
    timestamp,
    sensors: Object.values(sensors).map(String).toSorted(),
    window: task.windowMicros,
    watermark: watermarkMicros,
    missing: task.target.missing,
    covariates: task.covariates.length,
  };
}

async function writeVariant(name: string, change: Readonly<Record<string, unknown>>): Promise<void> {
  const own = inPlace(name);
  await writeFile(join(home, `${own}.yaml`), stringify({ ...pagesFile(), ...change, fleet: own }));
}

const sourceBlock = z.object({
  source: z.looseObject({ mqtt: z.object({ url: z.string(), topic: z.string() }) }),
});
let mqttUrl: string;

async function writeMqttVariant(): Promise<void> {
  const { source } = sourceBlock.parse(parse(PAGE.flatMap(({ yaml }) => yaml)[1] ?? ''));
  const mqtt = { ...source.mqtt, url: mqttUrl };
  await writeVariant('pumps-mqtt', { source: { ...source, mqtt } });
}

async function publishByMqtt(): Promise<void> {
  const publisher = await connectAsync(mqttUrl, { protocolVersion: 4 });
  for (let window = 0; window < TOPIC_WINDOWS; window += 1)
    for (const reading of pumpReadings(START, window))
      await publisher.publishAsync(`plant/${reading.pump}/telemetry`, pumpMessage(reading), { qos: 0 });
  await publisher.endAsync();
}

async function startMosquitto(): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const config = [`listener ${port} 127.0.0.1`, 'allow_anonymous true'];
  if (userInfo().uid === 0) config.push('user root');
  await writeFile(join(home, 'mosquitto.conf'), config.join('\n'));
  mosquitto = spawn('mosquitto', ['-c', join(home, 'mosquitto.conf')], { stdio: 'ignore' });
  mqttUrl = `mqtt://127.0.0.1:${port}`;
}

/** Run a command of the page: it must end well, and print what the page shows of it. */
async function follow({ text, shown }: PageCommand): Promise<void> {
  const meaning = MEANINGS[text];
  if (meaning === undefined)
    throw new Error(`the page has a command that no test knows: ${text}. Add it to MEANINGS.`);
  if (text.startsWith('export ')) return;
  await meaning.before?.();
  const { enough, figuresVary = false, again = false } = meaning;
  const options = { cwd: home, env: process.env, ...(enough && { enough }) };
  for (;;) {
    const { code, out, err } = await runFedloop(inPlace(text).split(' '), options);
    expect({ text, code, err: code === 0 ? '' : err + out }).toEqual({ text, code: 0, err: '' });
    const missing = shown.filter(
      (line) => !formOf(out, figuresVary).includes(formOf(inPlace(line), figuresVary)),
    );
    if (again && missing.length > 0) continue;
    expect({ missing, out: missing.length === 0 ? '' : out }).toEqual({ missing: [], out: '' });
    expect(out).toContain(meaning.prints ?? '');
    await meaning.after?.(out);
    return;
  }
}

/** Text without what differs from run to run: times, blanks, the length of lines, and figures where they vary. */
function formOf(text: string, figuresVary: boolean): string {
  const timeless = text.replace(/\d{4}-\d\d-\d\d[T ][\d:]+(?:Z| UTC)/g, '<time>').replace(/[ \n]+/g, ' ');
  return (figuresVary ? timeless.replace(/[\d,.]*\d/g, '#') : timeless).trim();
}

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'fedloop-your-fleet-'));
  const admin = client.admin();
  await admin.connect();
  const configEntries = [{ name: 'retention.ms', value: '-1' }];
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: true });
  await admin.disconnect();
  await producer.connect();
  const messages: string[] = [];
  for (let window = 0; window < TOPIC_WINDOWS; window += 1) {
    const readings = pumpReadings(START, window);
    messages.push(...readings.map(pumpMessage));
    await send(readings);
  }
  const heartbeat = JSON.stringify({ meta: { id: 'gateway' }, up: true });
  await producer.send({ topic, messages: [{ value: heartbeat, timestamp: String(START) }] });
  await writeFile(join(home, 'sample.jsonl'), [...messages, heartbeat].join('\n'));
  await mkdir(join(home, 'history'));
  await writeFile(join(home, 'history', 'past.csv'), pumpHistory(START, -PAST_WINDOWS, 0));
});

afterAll(async () => {
  await stopSending();
  await runFedloop(['down'], { cwd: home, env: process.env });
  mosquitto?.kill();
  await producer.disconnect();
  await rm(home, { recursive: true, force: true });
});

it('has no command that only the test knows', () => {
  const known = new Set(PAGE.flatMap(({ commands }) => commands.map(({ text }) => text)));
  expect(Object.keys(MEANINGS).filter((text) => !known.has(text))).toEqual([]);
});

describe('your own fleet', () => {
  it.each(PAGE.filter(({ heading }) => heading !== MQTT_HEADING))('$heading', async ({ commands }) => {
    for (const command of commands) await follow(command);
  });
});

describeWith(MOSQUITTO, 'your own fleet by MQTT', () => {
  it('comes up, and has its devices', async () => {
    await startMosquitto();
    const commands = PAGE.find(({ heading }) => heading === MQTT_HEADING)?.commands ?? [];
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) await follow(command);
  });
});
