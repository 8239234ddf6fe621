import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka as KafkaJs, logLevel } from 'kafkajs';
import { z } from 'zod';
import { queryTable } from '../../cli/query/query-worker';
import { type WorkerProcess } from '../../cli/system/worker-process';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { deployStream } from '../support/stream-deployment';
import { StreamSystem } from '../support/stream-system';
import { taskWith } from '../support/task';
import { verifiedAt } from '../support/verified';

/** Somebody deletes topics of results while workers run. Real broker, workers as processes. */
const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: 5_000_000 }),
  watermarkMicros: 10_000_000,
  idleMillis: 2_000,
};
const START = Date.UTC(2020, 0, 1) * 1_000;
const STEPS = 60;

jest.setTimeout(240_000);

let system: StreamSystem;
beforeAll(async () => {
  system = await StreamSystem.start({ FEDLOOP_PARTITIONS: '1' });
});
afterAll(async () => {
  await system.stop();
});

it('goes on where topics of results and rejects are deleted: every row is right, and nothing that was read is lost', async () => {
  const kafka = await system.connect();
  const admin = new KafkaJs({
    brokers: [system.env['KAFKA_BROKERS'] ?? ''],
    logLevel: logLevel.NOTHING,
  }).admin();
  await admin.connect();
  const producer = await kafka.producer();
  const feed = await deployStream(kafka, producer, SETTINGS, {
    ...{ seed: 7, devices: 10, start: START, stepMicros: 1_000_000, partitions: 1 },
  });
  const [analytics, stream] = await Promise.all([system.startAnalytics(), system.startWorker('stream')]);
  let sent = 0;
  const send = async (): Promise<void> => {
    for (let step = 0; step < STEPS; step += 1) {
      const events = feed.step();
      sent += events.length;
      await producer.send(TOPICS.stream.name, events);
    }
  };
  await send();
  for (const topic of [TOPICS.rejects, TOPICS.analysis, TOPICS.evaluations]) {
    await untilAllAreStored(analytics, () => sent);
    await admin.deleteTopics({ topics: [topic.name] });
    await send();
    await untilAllAreStored(analytics, () => sent);
  }
  expect((await fetch(`${stream.url}/healthz`)).status).toBe(200);
  await verifiedAt(system, analytics.url);
  await admin.disconnect();
  await producer.disconnect();
  await kafka.disconnect();
});

const storedRow = z.object({ readings: z.number(), rejects: z.number() });

/** Every event is in a window's row or a reject, but those of the windows that are open yet. */
async function untilAllAreStored(analytics: WorkerProcess, sent: () => number): Promise<void> {
  const open = 10 * (SETTINGS.watermarkMicros / 1_000_000 + 5 + 1) * 1.2;
  for (;;) {
    const { rows } = await queryTable(
      analytics.url,
      `SELECT (SELECT coalesce(sum(count), 0) FROM stream_analysis_results)::DOUBLE AS readings,
              (SELECT count(*) FROM rejected_rows)::DOUBLE AS rejects`,
    );
    const [row] = z.array(storedRow).parse(rows);
    if (row !== undefined && row.readings + row.rejects >= sent() - open) return;
    await sleep(500);
  }
}
