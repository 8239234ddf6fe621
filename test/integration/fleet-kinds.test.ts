import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kafka as KafkaJs, logLevel, type Message, Partitioners } from 'kafkajs';
import { z } from 'zod';
import { federatedRoundResultSchema } from '../../core/contracts/rounds';
import { levelOf } from '../support/pumps';
import { runFedloop, type CommandResult } from '../support/run-fedloop';

/**
 * Fleets as people have them, each from its messages to its first measured round with the commands that a person would type: init,
 * check, up, round start, verify. A run of all tests takes those that differ most; `FEDLOOP_FLEET_KINDS=all` takes every kind.
 */
jest.setTimeout(240_000);

const DEVICES = 12;
/** Enough for the first round: 24 lags and 8 more, and some that the watermark holds open. */
const WINDOWS = 40;
/** So long ago that windows which are sent later lie in the past, too. */
const START = Math.floor((Date.now() - 3 * 86_400_000) / 3_600_000) * 3_600_000;

interface Reading {
  readonly device: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Slow wave of the device, without a unit: −1 to 1. */
  readonly level: number;
}

interface Kind {
  readonly windowSeconds: number;
  readonly every: number;
  /** Options of `init` for what it cannot know. */
  readonly options: readonly string[];
  message(reading: Reading): unknown;
  /** Messages of all readings of an instant; left out: one each. */
  together?(messages: readonly unknown[]): readonly unknown[];
  /** How the topic's records are compressed. */
  readonly compression?: 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Written in transactions, some of which are aborted. */
  readonly isTransactional?: boolean;
  /** A message that comes between, in one window, and is stamped by its record as it stamps itself. */
  readonly brokenClock?: { readonly window: number; readonly at: number; readonly message: unknown };
  /** Milliseconds in which nobody sends, after the twelfth window. */
  readonly pause?: number;
  /** Readings that are not sent. */
  isSilent?(reading: Reading): boolean;
}

const iso = (at: number): string => new Date(at).toISOString();

const KINDS: Readonly<Record<string, Kind>> = {
  'nested messages with epoch seconds, without keys': {
    windowSeconds: 60,
    every: 15,
    options: ['--target', '/payload/v/rms'],
    message: ({ device, at, level }) => ({
      meta: { asset: { id: `pump-${device}` }, site: 'A' },
      payload: { ts: at / 1_000, v: { rms: 2 + level / 4, unit: 'mm/s' }, amps: 11 + level },
    }),
  },
  'one clock in 2106 among canonical events, and covariates that are no numbers': {
    windowSeconds: 30,
    every: 10,
    options: [],
    message: ({ device, at, level }) => ({
      device_id: `Kühlraum-${device}`,
      timestamp: iso(at),
      temperature: 20 + 4 * level,
      humidity: 'n/a',
      record_timestamp: iso(at),
    }),
    brokenClock: {
      window: 20,
      at: Date.parse('2106-02-07T06:28:15Z'),
      message: { device_id: 'c-broken', timestamp: '2106-02-07T06:28:15Z', temperature: 20 },
    },
  },
  'a meter of kilowatts with many digits': {
    windowSeconds: 60,
    every: 10,
    options: [],
    message: ({ device, at, level }) => ({
      device_id: `meter-${device}`,
      timestamp: at,
      power: 123_456_789.5 + 40 * level,
    }),
  },
  'one reading a minute': {
    windowSeconds: 60,
    every: 60,
    options: [],
    message: ({ device, at, level }) => ({
      device_id: `m${device}`,
      timestamp: iso(at),
      temperature: 20 + level,
    }),
  },
  'numbers for ids, and a night’s pause': {
    windowSeconds: 60,
    every: 15,
    options: [],
    message: ({ device, at, level }) => ({
      device_id: 1_000 + device,
      timestamp: at,
      temperature: 20 + level,
    }),
    pause: 8 * 3_600_000,
  },
  'all readings of an instant in one message, compressed with snappy': {
    windowSeconds: 30,
    every: 10,
    options: ['--each', '/'],
    message: ({ device, at, level }) => ({ device_id: `g${device}`, timestamp: at, temperature: 20 + level }),
    together: (messages) => [messages],
    compression: 'snappy',
  },
  'numbers of seconds with a fraction, compressed with zstd': {
    windowSeconds: 30,
    every: 10,
    options: ['--target', '/value'],
    message: ({ device, at, level }) => ({ id: `p${device}`, time: at / 1_000 + 0.25, value: 20 + level }),
    compression: 'zstd',
  },
  'three readings a second, stamped to the second, compressed with lz4': {
    windowSeconds: 30,
    every: 10,
    options: ['--duplicates', 'reading'],
    message: ({ device, at, level }) => ({
      device_id: `s${device}`,
      timestamp: iso(at),
      temperature: 20 + level,
    }),
    together: (messages) =>
      messages.flatMap((message) => {
        const { temperature, ...rest } = z.looseObject({ temperature: z.number() }).parse(message);
        return [0, 1, 2].map((step) => ({ ...rest, temperature: temperature + step / 100 }));
      }),
    compression: 'lz4',
  },
  'readings on change, held for five minutes, without keys': {
    windowSeconds: 60,
    every: 15,
    options: ['--hold', '5m', '--target', '/data/level'],
    message: ({ device, at, level }) => ({ tank: `tank-${device}`, at: iso(at), data: { level: 4 + level } }),
    isSilent: ({ device, at }) => (Math.floor((at - START) / 60_000) + device) % 3 !== 0,
  },
  'transactions, some of them aborted': {
    windowSeconds: 30,
    every: 10,
    options: [],
    message: ({ device, at, level }) => ({
      device_id: `t${device}`,
      timestamp: iso(at),
      temperature: 20 + level,
    }),
    isTransactional: true,
  },
};
/** Deterministic, uneven from device to device and window to window. */
function readingsOf(window: number, at: number): readonly Reading[] {
  return Array.from({ length: DEVICES }, (_, device) => ({
    device,
    at,
    level: levelOf(device, window),
  }));
}

const FIRST_KINDS: ReadonlySet<string> = new Set([
  'nested messages with epoch seconds, without keys',
  'one clock in 2106 among canonical events, and covariates that are no numbers',
  'all readings of an instant in one message, compressed with snappy',
  'readings on change, held for five minutes, without keys',
  'transactions, some of them aborted',
]);
const chosen = Object.entries(KINDS).filter(
  ([name]) => process.env['FEDLOOP_FLEET_KINDS'] === 'all' || FIRST_KINDS.has(name),
);

describe.each(chosen)('%s', (_, kind) => {
  const name = `k${randomUUID().slice(0, 8)}`;
  const topic = `plant.${name}`;
  const client = new KafkaJs({
    brokers: (process.env['KAFKA_BROKERS'] ?? '').split(','),
    logLevel: logLevel.NOTHING,
  });
  const producer = client.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...(kind.isTransactional === true
      ? { transactionalId: name, maxInFlightRequests: 1, idempotent: true }
      : {}),
  });
  let home: string;
  let sent = 0;
  let stopSending: () => Promise<void> = () => Promise.resolve();

  const run = (...words: readonly string[]): Promise<CommandResult> =>
    runFedloop(words, { cwd: home, env: process.env });

  /** @returns how many readings the window has. */
  async function sendWindow(window: number): Promise<number> {
    const pause = window > 12 ? (kind.pause ?? 0) : 0;
    const from = START + window * kind.windowSeconds * 1_000 + pause;
    const messages: Message[] = [];
    let readings = 0;
    for (let second = 0; second < kind.windowSeconds; second += kind.every) {
      const at = from + second * 1_000;
      const made = readingsOf(window, at).filter((reading) => kind.isSilent?.(reading) !== true);
      const own = made.map((reading) => kind.message(reading));
      const all = kind.together?.(own) ?? own;
      readings += Math.max(made.length, all.length);
      // Devices of a canonical topic keep to one partition; a foreign topic may have no keys.
      all.forEach((message, index) => {
        const key = all.length === made.length && isCanonical ? String(made[index]?.device) : null;
        messages.push({ key, value: JSON.stringify(message), timestamp: String(at) });
      });
    }
    if (kind.brokenClock?.window === window) {
      const { at, message } = kind.brokenClock;
      messages.push({ key: '0', value: JSON.stringify(message), timestamp: String(at) });
    }
    if (messages.length > 0) await send(messages, window % 4 === 1);
    return readings;
  }

  const isCanonical = kind.options.length === 0;

  async function send(messages: Message[], afterAbort: boolean): Promise<void> {
    if (kind.isTransactional !== true) {
      await producer.send({ topic, messages });
      return;
    }
    if (afterAbort) {
      const aborted = await producer.transaction();
      await aborted.send({ topic, messages: messages.map((message) => ({ ...message, value: 'nothing' })) });
      await aborted.abort();
    }
    const transaction = await producer.transaction();
    await transaction.send({ topic, messages });
    await transaction.commit();
  }

  function keepSending(): () => Promise<void> {
    const until = new AbortController();
    const done = (async () => {
      for (let window = WINDOWS; !until.signal.aborted; window += 1) {
        await sendWindow(window);
        await new Promise((resolve) => setTimeout(resolve, 700));
      }
    })();
    return () => {
      until.abort();
      return done;
    };
  }

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'fedloop-kind-'));
    const admin = client.admin();
    await admin.connect();
    const configEntries = [
      { name: 'compression.type', value: kind.compression ?? 'producer' },
      { name: 'retention.ms', value: '-1' },
      { name: 'message.timestamp.after.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
    ];
    await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries }], waitForLeaders: true });
    await admin.disconnect();
    await producer.connect();
    for (let window = 0; window < WINDOWS; window += 1) sent += await sendWindow(window);
  });
  afterAll(async () => {
    await stopSending();
    await run('down');
    await producer.disconnect();
    await rm(home, { recursive: true, force: true });
  });

  it('is described by init, and accepted as check says', async () => {
    const window = `${kind.windowSeconds}s`;
    const described = await run(
      'init',
      '--topic',
      topic,
      '--yes',
      '--fleet',
      name,
      '--window',
      window,
      ...kind.options,
    );
    expect(described).toMatchObject({ code: 0 });
    const { code, out } = await run('check', '--topic', topic, '--json');
    const checked = z.object({ accepted: z.number(), devices: z.number() }).parse(JSON.parse(out));
    expect({ code, ...checked }).toEqual({ code: 0, accepted: sent, devices: DEVICES });
  });

  it('gets its first measured round, and verify finds every row right', async () => {
    expect(await run('up')).toMatchObject({ code: 0 });
    stopSending = keepSending();
    const { code, out, err } = await run('round', 'start', '--when-ready', '--json');
    expect({ code, err: code === 0 ? '' : err }).toEqual({ code: 0, err: '' });
    const round = federatedRoundResultSchema.parse(JSON.parse(out));
    expect(round).toMatchObject({ round: 1, version: 'v1' });
    expect(round.candidate.evaluations).toBeGreaterThan(0);
    await stopSending();
    const verified = await run('verify');
    expect({ code: verified.code, out: verified.code === 0 ? '' : verified.out + verified.err }).toEqual({
      code: 0,
      out: '',
    });
  });
});
