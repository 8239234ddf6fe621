import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka as KafkaJs, logLevel, type Admin, type KafkaConfig, type SASLOptions } from 'kafkajs';
import { type Environment } from '../../contracts/config';
import { FedloopError, messageOf } from '../../contracts/errors';
import { type Logger } from '../log';
import { consumeGroup } from './group-consumer';
import { createProducer } from './producer';
import { patchKafkajs } from './kafkajs-patches';
import { tailTopic } from './tail';
import { topicNames } from './topic-names';
import { topicOffsets } from './topic-offsets';
import { type Kafka, type Position, type RetryPolicy, type Topic } from './types';

/** Long enough for a slow first handshake, short enough that a wrong address is noticed. */
const CONNECTION_TIMEOUT_MS = 5_000;
/** New topics are ready within a second; on a machine that is busy starting things, within some more. */
const TOPICS_READY_MS = 60_000;
const TOPICS_READY_POLL_MS = 50;
/** Between two retries: short enough that a broker that is back is noticed soon, long enough that one that is away is not flooded. */
const MAX_PAUSE_MS = 2_000;
/**
 * Retries while a broker is away. 20 take half a minute (two minutes at most, where connections are not even refused) and end before the time-out
 * of a step. 300 take ten minutes, which is longer than a broker's restart, an upgrade or a lost network should take; after that a person must look.
 */
const MAX_RETRIES: Readonly<Record<RetryPolicy, number>> = { step: 20, outage: 300 };

/**
 * @throws FedloopError `InvalidConfig` without brokers or with half a set of credentials; `KafkaUnavailable` when none answers.
 */
export async function connectKafka(env: Environment, clientId: string, log: Logger): Promise<Kafka> {
  patchKafkajs(log);
  const client = new KafkaJs(clientConfig(env, clientId, log, 'step'));
  // A connection takes the retry policy of its client: there is no other way to set it.
  const outageClient = new KafkaJs(clientConfig(env, clientId, log, 'outage'));
  const admin = client.admin();
  try {
    await admin.connect();
  } catch (cause) {
    const hint = 'Check KAFKA_BROKERS and that the broker runs.';
    const message = `no Kafka broker answers at ${(env.KAFKA_BROKERS ?? []).join(', ')}: ${messageOf(cause)}`;
    throw new FedloopError('KafkaUnavailable', message, { hint, cause });
  }
  const names = topicNames(env.FEDLOOP_TOPIC_PREFIX);
  const topic = (name: string): string => names.full(name);
  const sessionTimeoutMillis = env.FEDLOOP_SESSION_TIMEOUT;
  return {
    createTopics: (topics) => {
      const named = topics.map((spec) => ({ ...spec, name: topic(spec.name) }));
      return createTopics(admin, named);
    },
    offsets: (name) => topicOffsets(admin, topic(name)),
    committed: (groupId, name) => committedOf(admin, topic(groupId), topic(name)),
    startGroup: (groupId, name, from) => startGroup(admin, topic(groupId), topic(name), from),
    livingGroups: async (prefix) => {
      const groups = await livingGroupsOf(admin, topic(prefix));
      return groups.map((groupId) => names.bare(groupId));
    },
    producer: (retryPolicy = 'step') =>
      createProducer(retryPolicy === 'step' ? client : outageClient, topic, log),
    tail: (options) =>
      tailTopic(client, admin, { ...options, topic: topic(options.topic), sessionTimeoutMillis }, log),
    consume: (options) => {
      const named = { ...options, groupId: topic(options.groupId), topics: options.topics.map(topic) };
      return consumeGroup(client, { ...named, sessionTimeoutMillis }, names);
    },
    disconnect: () => admin.disconnect(),
  };
}

function clientConfig(
  env: Environment,
  clientId: string,
  log: Logger,
  retryPolicy: RetryPolicy,
): KafkaConfig {
  if (env.KAFKA_BROKERS === undefined) {
    throw new FedloopError('InvalidConfig', 'KAFKA_BROKERS is not set', {
      hint: 'Set it to host:port of one or more brokers, or run `fedloop demo`, which starts one.',
    });
  }
  const sasl = saslOptions(env);
  return {
    clientId,
    brokers: [...env.KAFKA_BROKERS],
    ssl: env.KAFKA_TLS === 'true',
    ...(sasl === undefined ? {} : { sasl }),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    retry: { initialRetryTime: 100, maxRetryTime: MAX_PAUSE_MS, retries: MAX_RETRIES[retryPolicy] },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      // The library logs every reconnect as an error; its retries handle them, so they are details here.
      log.debug({ kafka: entry.namespace }, entry.log.message);
    },
  };
}

function saslOptions(env: Environment): SASLOptions | undefined {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = env;
  const mechanism = env.KAFKA_SASL_MECHANISM;
  if (mechanism === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new FedloopError(
      'InvalidConfig',
      'KAFKA_SASL_MECHANISM needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD as well',
    );
  }
  return { mechanism, username, password };
}

async function createTopics(admin: Admin, topics: readonly Topic[]): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const missing = topics.filter((spec) => !existing.has(spec.name));
  if (missing.length === 0) return;
  await admin.createTopics({
    // The library's own waiting fails when the controller has made a topic that its broker does not know yet.
    waitForLeaders: false,
    topics: missing.map((spec) => ({
      topic: spec.name,
      numPartitions: spec.partitions,
      configEntries: [
        { name: 'cleanup.policy', value: spec.cleanup },
        // Simulated events carry a fixed past: retention by time would delete them at once, and a strict
        // time-stamp check would refuse them.
        { name: 'retention.ms', value: '-1' },
        { name: 'message.timestamp.before.max.ms', value: String(Number.MAX_SAFE_INTEGER) },
      ],
    })),
  });
  const names = missing.map(({ name }) => name);
  await untilReady(admin, names);
}

/**
 * Resolves when every partition of the topics has a leader that answers for it. Brokers report a leader shortly before it is ready, and a
 * request that it accepts for some of its partitions and refuses for others is sent again whole, so that records come twice.
 */
async function untilReady(admin: Admin, topics: readonly string[]): Promise<void> {
  const deadline = performance.now() + TOPICS_READY_MS;
  for (;;) {
    try {
      const { topics: known } = await admin.fetchTopicMetadata({ topics: [...topics] });
      if (known.some(({ partitions }) => partitions.some(({ leader }) => leader < 0)))
        throw new Error('some have no leader');
      await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)));
      return;
    } catch (cause) {
      if (performance.now() > deadline) {
        const message = `new topics are not ready: ${messageOf(cause)}`;
        throw new FedloopError('KafkaUnavailable', message, { hint: 'Check that all brokers run.', cause });
      }
      await sleep(TOPICS_READY_POLL_MS);
    }
  }
}

async function committedOf(admin: Admin, groupId: string, topic: string): Promise<readonly Position[]> {
  const groups = await admin.fetchOffsets({ groupId, topics: [topic] });
  return groups
    .flatMap(({ partitions }) => partitions)
    .map(({ partition, offset }) => ({ partition, offset: Number(offset) }))
    .filter(({ offset }) => offset >= 0);
}

async function startGroup(
  admin: Admin,
  groupId: string,
  topic: string,
  from: 'latest' | number,
): Promise<void> {
  if ((await committedOf(admin, groupId, topic)).length > 0) return;
  const offsets =
    from === 'latest'
      ? (await topicOffsets(admin, topic)).map(({ partition, high }) => ({ partition, offset: String(high) }))
      : await admin.fetchTopicOffsetsByTimestamp(topic, from);
  const partitions = offsets.map(({ partition, offset }) => ({ partition, offset }));
  // The broker refuses while the group has members: one of them has decided then.
  await admin.setOffsets({ groupId, topic, partitions }).catch(async (cause: unknown) => {
    if ((await livingGroupsOf(admin, groupId)).includes(groupId)) return;
    throw cause;
  });
}

async function livingGroupsOf(admin: Admin, prefix: string): Promise<readonly string[]> {
  const { groups } = await admin.listGroups();
  const names = groups.map(({ groupId }) => groupId).filter((groupId) => groupId.startsWith(prefix));
  if (names.length === 0) return [];
  const described = await admin.describeGroups(names);
  return described.groups.filter(({ members }) => members.length > 0).map(({ groupId }) => groupId);
}
