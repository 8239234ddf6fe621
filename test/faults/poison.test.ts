import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { type Client } from '@temporalio/client';
import { CompressionCodecs, CompressionTypes, Kafka as KafkaJs, logLevel } from 'kafkajs';
import { z } from 'zod';
import { queryWorker } from '../../cli/query/query-worker';
import { emptyAnalysis, emptyEvaluations, REJECT_HEADERS } from '../../core/contracts/blocks';
import { DEFAULT_TASK } from '../../core/contracts/task';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';
import { recordsOf } from '../support/fleet-records';
import { foreignClaims, messagesOfOthers } from '../support/hostile-fleets';
import { type HostileMessage } from '../support/hostile-message';
import { hostileMessages } from '../support/hostile-messages';
import { RoundSystem } from '../support/round-system';
import { eventually, RoundWatch } from '../support/round-watch';
import { verifiedAt } from '../support/verified';

/**
 * Messages that nobody of the deployment has written, to every topic of a running fleet. `FEDLOOP_FUZZ_MESSAGES` sends more of them than the
 * build has time for, `FEDLOOP_FUZZ_SEED` others.
 */
const MESSAGES = Number(process.env['FEDLOOP_FUZZ_MESSAGES'] ?? 600);
const SEED = Number(process.env['FEDLOOP_FUZZ_SEED'] ?? 1);
/** Messages drawn and sent at a time. */
const MESSAGES_AT_ONCE = 500;
const WAIT_MILLIS = 120_000;
const TEST_MILLIS = 300_000 + 20 * MESSAGES;
/** Nothing new for so long: nothing is under way. */
const QUIET_MILLIS = 1_000;
const FAR_WINDOW = Date.UTC(2200, 0, 1) * 1_000;
const ROLES = ['rounds', 'site', 'stream', 'analytics'] as const;
/** Topics whose every message the warehouse has used or put aside. */
const STORED = ['analysis', 'evaluations', 'rejects', 'ingestRejects', 'updates', 'deployments'] as const;

jest.setTimeout(TEST_MILLIS);

let system: RoundSystem;
let kafka: Kafka;
let client: Client;
let rounds: RoundWatch;

beforeAll(async () => {
  system = await RoundSystem.start({ devices: 60, speed: 60 });
  kafka = await system.stream.connect();
  client = await system.client();
  rounds = new RoundWatch(client, WAIT_MILLIS);
}, TEST_MILLIS);

afterAll(async () => {
  await client.connection.close();
  await kafka.disconnect();
  await system.stop();
}, 60_000);

async function sendDrawn(from: fc.Arbitrary<HostileMessage>): Promise<void> {
  const producer = await kafka.producer();
  for (let sent = 0; sent < MESSAGES; sent += MESSAGES_AT_ONCE) {
    const numRuns = Math.min(MESSAGES_AT_ONCE, MESSAGES - sent);
    const drawn = fc.sample(from, { numRuns, seed: SEED + sent });
    for (const { name } of Object.values(TOPICS)) {
      const messages = drawn.filter(({ topic }) => topic === name).map(({ message }) => message);
      if (messages.length > 0) await producer.send(name, messages);
    }
  }
  await producer.disconnect();
}

const claimRow = z.object({ epoch: z.number() });

/** Blocks of the far future, and a reject of an event that nobody has sent, under the epoch that the partition's owner has. */
async function sendOfOwnEpoch(): Promise<void> {
  const query = queryWorker({ url: system.urlOf('analytics'), token: undefined });
  const [claim] = await query(
    claimRow,
    'SELECT epoch::DOUBLE AS epoch FROM stream_claims WHERE source_partition = 0',
  );
  const window = { window_start: FAR_WINDOW, window_end: FAR_WINDOW + 30_000_000, ordinal: 0, last: true };
  const columns = { analysis: emptyAnalysis(DEFAULT_TASK), evaluations: emptyEvaluations() };
  const producer = await kafka.producer();
  for (const [role, type] of [
    ['analysis', 'analysis'],
    ['evaluations', 'evaluation'],
  ] as const) {
    const block = { type, partition: 0, epoch: claim?.epoch, ...window, columns: columns[role] };
    await producer.send(TOPICS[role].name, [{ key: '0', partition: 0, value: JSON.stringify(block) }]);
  }
  const headers = {
    [REJECT_HEADERS.reason]: 'late',
    [REJECT_HEADERS.partition]: '0',
    [REJECT_HEADERS.offset]: '2147483648',
    [REJECT_HEADERS.epoch]: String(claim?.epoch),
  };
  await producer.send(TOPICS.rejects.name, [{ key: '0', partition: 0, value: '', headers }]);
  await producer.disconnect();
}

async function runRound(id: string): Promise<void> {
  const round = await rounds.start(id, { participants: 20, windows: 2 });
  expect((await rounds.resultOf(round)).candidate.evaluations).toBeGreaterThan(0);
}

/** Messages that the warehouse has read since it started, by topic: used and put aside together. */
async function messagesRead(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${system.urlOf('analytics')}/metrics`)).text();
  const read = new Map<string, number>();
  for (const [, topic = '', count] of text.matchAll(
    /^fedloop_sink_records_total\{.*topic="([^"]+)".*\} (\S+)$/gm,
  ))
    read.set(topic, (read.get(topic) ?? 0) + Number(count));
  return read;
}

async function messagesThere(topic: string): Promise<number> {
  return (await kafka.offsets(topic)).reduce((sum, { low, high }) => sum + high - low, 0);
}

const letterRow = z.object({ topic: z.string(), reason: z.string(), n: z.number() });

/** Messages of each topic that the warehouse has not read since it started. */
async function messagesUnread(): Promise<string> {
  const read = await messagesRead();
  const unread = await Promise.all(
    STORED.map(async (role) => {
      const { name } = TOPICS[role];
      return `${name}: ${(await messagesThere(name)) - (read.get(name) ?? 0)}`;
    }),
  );
  return unread.join(', ');
}

/** What an earlier warehouse process had read: known when nothing is under way. */
async function messagesReadBefore(): Promise<string> {
  let last = '';
  return eventually('a warehouse that has read everything', WAIT_MILLIS, async () => {
    await sleep(QUIET_MILLIS);
    const before = last;
    last = await messagesUnread();
    return last === before ? { found: last } : { seen: last };
  });
}

async function expectAllAccountedFor(readBefore: string): Promise<void> {
  await eventually(`every message used or put aside but ${readBefore}`, WAIT_MILLIS, async () => {
    const unread = await messagesUnread();
    return unread === readBefore ? { found: true } : { seen: unread };
  });
}

/** Bytes of JSON that a few kilobytes of gzip become. As a list of wrong values they would take gigabytes. */
const BOMB_BYTES = 24 * 1024 * 1024;
const BOMBED = ['checkpoints', 'updates', 'feedback', 'history', 'analysis', 'windowRequests'] as const;

async function sendBombs(): Promise<void> {
  const compress = ({ buffer }: { readonly buffer: Buffer }): Promise<Buffer> =>
    Promise.resolve(gzipSync(buffer));
  CompressionCodecs[CompressionTypes.GZIP] = () => ({ compress });
  const client = new KafkaJs({ brokers: [system.stream.address], logLevel: logLevel.NOTHING });
  const producer = client.producer();
  await producer.connect();
  const heads = [
    '{"type":"start","partition":0,"epoch":1,"offset":0,"ends":[0',
    '{"type":"outcome","round":9,"device_id":[0',
  ];
  for (const role of BOMBED) {
    const messages = heads.map((head, n) => ({
      key: `${n === 0 ? 'start/0/1' : 'outcome/9'}/x`,
      partition: 0,
      value: Buffer.from(`${head}${',0'.repeat(BOMB_BYTES / 2)}]}`),
    }));
    for (const message of messages)
      await producer.send({
        topic: TOPICS[role].name,
        compression: CompressionTypes.GZIP,
        messages: [message],
      });
  }
  await producer.disconnect();
}

/** What a second fleet writes to the same topics, and what this one has written, once more. */
async function sendOfOthers(): Promise<void> {
  const records = await recordsOf(kafka);
  const producer = await kafka.producer();
  await producer.send(TOPICS.checkpoints.name, foreignClaims(records));
  await producer.disconnect();
  await sendDrawn(messagesOfOthers(records));
}

function expectAllAlive(): void {
  expect(ROLES.filter((role) => !system.isRunning(role))).toEqual([]);
}

/** Rounds run, rows are right and workers are alive behind these messages, and again after every worker was started anew. */
async function expectUnharmedBy(name: string, send: () => Promise<void>): Promise<void> {
  await runRound(`${name}-before`);
  const readBefore = await messagesReadBefore();
  await send();
  await runRound(`${name}-after`);
  await expectAllAccountedFor(readBefore);
  await verifiedAt(system.stream, system.urlOf('analytics'));
  expectAllAlive();

  for (const role of ROLES) system.kill(role);
  await Promise.all(ROLES.map((role) => system.startWorker(role)));
  await runRound(`${name}-after-restart`);
  await verifiedAt(system.stream, system.urlOf('analytics'));
  expectAllAlive();
}

async function reasonsOfLetters(): Promise<ReadonlySet<string>> {
  const letters = await queryWorker({ url: system.urlOf('analytics'), token: undefined })(
    letterRow,
    'SELECT topic, reason, count(*)::INTEGER AS n FROM dead_letters GROUP BY ALL ORDER BY ALL',
  );
  if (process.env['FEDLOOP_FUZZ_MESSAGES'] !== undefined)
    process.stderr.write(`${JSON.stringify(letters)}\n`);
  return new Set(letters.map(({ reason }) => reason));
}

it('are put aside, each with its place and why, and the loop goes on, also after every worker was started again', async () => {
  await expectUnharmedBy('poison', async () => {
    await sendDrawn(hostileMessages);
    await sendOfOwnEpoch();
  });
  expect(await reasonsOfLetters()).toEqual(
    new Set(['invalid', 'unknown-epoch', 'unread-event', 'unseen-window']),
  );
});

it('of a few kilobytes that decompress to megabytes are passed over or put aside unread, also after a restart', async () => {
  await expectUnharmedBy('bombs', sendBombs);
  expect(await reasonsOfLetters()).toContain('undecodable');
});

it('of another fleet, and those of this one sent again, are told from its own: the loop goes on, also after a restart', async () => {
  await expectUnharmedBy('others', sendOfOthers);
  expect(await reasonsOfLetters()).toContain('unknown-epoch');
});
