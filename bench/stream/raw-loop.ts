import { performance } from 'node:perf_hooks';
import { Kafka, logLevel } from 'kafkajs';
import { peerWorkSchema, type PeerMeasurement, type PeerWork } from './peer';

/**
 * The least that a Node program can do with the topic: kafkajs' batches, JSON.parse of each message, one sum. A process of
 * its own; reads its work (JSON) from its first argument and prints a measurement (JSON). Its fetches are as large as the
 * stream worker's.
 */
const MAX_BYTES_PER_PARTITION = 1_048_576;

async function measure({ brokers, topic, events }: PeerWork): Promise<PeerMeasurement> {
  const begun = performance.now();
  const client = new Kafka({ clientId: 'fedloop-bench-raw', brokers: [brokers], logLevel: logLevel.NOTHING });
  const consumer = client.consumer({
    groupId: `raw-${process.pid}-${Date.now()}`,
    maxBytesPerPartition: MAX_BYTES_PER_PARTITION,
    allowAutoTopicCreation: false,
  });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  let left = events;
  let sum = 0;
  let start = NaN;
  let cpu = process.cpuUsage();
  consumer.on(consumer.events.GROUP_JOIN, () => {
    start = performance.now();
    cpu = process.cpuUsage();
  });
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await consumer.run({
    autoCommit: false,
    eachBatch: ({ batch }) => {
      for (const { value } of batch.messages) {
        const event = JSON.parse(String(value)) as { readonly temperature: number };
        sum += event.temperature;
      }
      left -= batch.messages.length;
      if (left <= 0) finish();
      return Promise.resolve();
    },
  });
  await finished;
  const seconds = (performance.now() - start) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  if (!Number.isFinite(sum)) throw new Error('a message had no temperature');
  await consumer.disconnect();
  return {
    seconds,
    setupSeconds: (start - begun) / 1_000,
    cpuSeconds: (user + system) / 1e6,
    peakMegabytes: process.resourceUsage().maxRSS / 1_024,
    events: events - left,
    rows: 0,
  };
}

void measure(peerWorkSchema.parse(JSON.parse(process.argv[2] ?? '{}'))).then((measurement) => {
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
});
