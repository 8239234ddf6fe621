import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { Kafka as KafkaJs, logLevel, Partitioners } from 'kafkajs';
import { foreignTopic } from '../../core/contracts/topics';
import { testDeployment, type TestDeployment } from '../support/deployment';
import { type CommandResult, runFedloop } from '../support/run-fedloop';

jest.setTimeout(120_000);

let deployment: TestDeployment;
let folder: string;

beforeAll(async () => {
  deployment = await testDeployment();
  folder = await mkdtemp(join(tmpdir(), 'fedloop-topic-'));
});

afterAll(async () => {
  await deployment.kafka.disconnect();
});

function fedloop(...words: readonly string[]): Promise<CommandResult> {
  return runFedloop(words, { cwd: folder, env: process.env });
}

/** A topic with 30 events of each of four devices. @param isKeyed whether a device keeps to one partition. */
async function plantTopic(isKeyed: boolean): Promise<string> {
  const topic = `plant-${randomUUID()}`;
  await deployment.kafka.createTopics([{ name: foreignTopic(topic), partitions: 3, cleanup: 'delete' }]);
  const producer = await deployment.kafka.producer();
  const start = Date.UTC(2026, 0, 1);
  const messages = Array.from({ length: 120 }, (_, index) => {
    const device_id = `pump-${index % 4}`;
    const timestamp = start + Math.floor(index / 4) * 10_000;
    const value = JSON.stringify({ device_id, timestamp, pressure: 3 + Math.sin(index) });
    return {
      key: isKeyed ? device_id : null,
      value,
      timestampMillis: timestamp,
      ...(isKeyed ? {} : { partition: index % 3 }),
    };
  });
  await producer.send(foreignTopic(topic), messages);
  await producer.disconnect();
  return topic;
}

describe('a fleet that sends to a topic already', () => {
  it('needs no ingest worker where its messages are events, keyed by device', async () => {
    const topic = await plantTopic(true);
    const described = await fedloop('init', '--topic', topic, '--yes', '--out', 'keyed.yaml', '--json');
    expect(described).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(described.out)).toMatchObject({ devices: 4, readings: 120, needsIngest: false });
    expect(await readFile(join(folder, 'keyed.yaml'), 'utf8')).toContain(`topic: ${topic}`);
    const checked = await fedloop('check', '--topic', topic, '--config', 'keyed.yaml', '--json');
    expect(JSON.parse(checked.out)).toMatchObject({ messages: 120, accepted: 120, rejected: {}, devices: 4 });
  });

  it('needs one where a device is in several partitions', async () => {
    const topic = await plantTopic(false);
    const described = await fedloop('init', '--topic', topic, '--yes', '--out', 'unkeyed.yaml', '--json');
    expect(JSON.parse(described.out)).toMatchObject({ devices: 4, needsIngest: true });
    const checked = await fedloop('check', '--config', 'unkeyed.yaml', '--json');
    expect(JSON.parse(checked.out)).toMatchObject({ messages: 120, accepted: 120, devices: 4 });
  });

  it('is read as a whole where transactions have left offsets without a message', async () => {
    const topic = `plant-${randomUUID()}`;
    await deployment.kafka.createTopics([{ name: foreignTopic(topic), partitions: 1, cleanup: 'delete' }]);
    const client = new KafkaJs({
      brokers: [...(deployment.env.KAFKA_BROKERS ?? [])],
      logLevel: logLevel.NOTHING,
    });
    const producer = client.producer({
      transactionalId: topic,
      maxInFlightRequests: 1,
      idempotent: true,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    for (let minute = 0; minute < 2; minute += 1) {
      const transaction = await producer.transaction();
      const messages = Array.from({ length: 60 }, (_, index) => {
        const timestamp = Date.UTC(2026, 0, 1, 0, minute, index);
        return { value: JSON.stringify({ device_id: `pump-${index % 4}`, timestamp, pressure: index }) };
      });
      await transaction.send({ topic, messages });
      await transaction.commit();
    }
    await producer.disconnect();
    const described = await fedloop('init', '--topic', topic, '--yes', '--out', 'whole.yaml');
    expect(described.out).toContain('120 messages, 120 readings');
  });

  it('is told in one sentence that a topic does not exist', async () => {
    const { code, err } = await fedloop('init', '--topic', 'nowhere', '--yes', '--out', 'nowhere.yaml');
    expect({ code, sentence: err.split('\n')[0] }).toEqual({
      code: 2,
      sentence: expect.stringContaining('there is no topic nowhere') as unknown,
    });
  });
});
