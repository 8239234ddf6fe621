import { Kafka as KafkaJs, logLevel, type Admin, type KafkaConfig, type RetryOptions } from 'kafkajs';
import { type Environment, topicPrefixOf } from '../../contracts/config';
import { FedloopError, messageOf } from '../../contracts/errors';
import { isWrittenByUs, maxRecordBytes } from '../../contracts/topics';
import { deploymentKeys } from '../deployment-keys';
import { type Logger } from '../log';
import { registerCodecs } from './codecs';
import { BrokerContact } from './contact';
import { COMMIT_NOTE, consumeGroup } from './group-consumer';
import { kafkaSecurity, type KafkaSecurity } from './kafka-security';
import { orNotAllowed } from './kafka-trouble';
import { patchKafkajs } from './kafkajs-patches';
import { logIdOf } from './log-identity';
import { createTopics, growTopics, partitionsOf } from './make-topics';
import { MissingTopics } from './missing-topics';
import { createProducer } from './producer';
import { withSignatures } from './signed-topics';
import { tailTopic } from './tail';
import { topicNames } from './topic-names';
import { topicOffsets, topicOffsetsAt } from './topic-offsets';
import { type CommittedPlace, type Kafka, type RetryPolicy } from './types';

/** Long enough for a slow first handshake, short enough that a wrong address is noticed. */
const CONNECTION_TIMEOUT_MS = 5_000;
/**
 * A broker that lives answers within seconds, also on a busy machine. Without an answer its connection is given up: a network that passes nothing on,
 * or has forgotten the connection, is noticed within this time and not within the quarter of an hour that TCP tries for.
 */
const REQUEST_TIMEOUT_MS = 15_000;
/** Between two retries: short enough that a broker that is back is noticed soon, long enough that one that is away is not flooded. */
const MAX_PAUSE_MS = 2_000;
/**
 * Retries while a broker is away. 20 take half a minute (two minutes at most, where connections are not even refused) and end before the time-out
 * of a step. 50,000 take a day where connections are refused: a worker that was started anew could do no better than wait, and would read again what this
 * one has yet to write. The log and `/healthz` say what it waits for.
 */
const MAX_RETRIES: Readonly<Record<RetryPolicy, number>> = { step: 20, outage: 50_000 };

/**
 * @throws FedloopError `InvalidConfig` without brokers, with half a set of credentials, and for all else that no retry mends: brokers refuse the login or
 * our certificate, theirs cannot be trusted, or they speak TLS where we do not; `KafkaUnavailable` when none answers.
 */
export async function connectKafka(env: Environment, clientId: string, log: Logger): Promise<Kafka> {
  patchKafkajs(log);
  registerCodecs();
  const brokers = brokersOf(env);
  const security = await kafkaSecurity(env);
  const keys = await deploymentKeys(env);
  const contact = new BrokerContact(brokers, security, log);
  const config = clientConfig({ brokers, clientId, security, contact, log });
  const client = new KafkaJs({ ...config, retry: retryOf('step') });
  // A connection takes the retry policy of its client: there is no other way to set it.
  const outageClient = new KafkaJs({ ...config, retry: retryOf('outage') });
  const admin = client.admin();
  await meet(admin, contact, brokers);
  const names = topicNames(topicPrefixOf(env));
  const topic = (name: string): string => names.full(name);
  const sessionTimeoutMillis = env.FEDLOOP_SESSION_TIMEOUT;
  const tails = failureOfAny();
  const missing = new MissingTopics(admin, log);
  const kafka: Kafka = {
    createTopics: (topics) => {
      const named = topics.map((spec) => ({ ...spec, name: topic(spec.name) }));
      missing.know(named);
      return allowed('make topics', createTopics(admin, named));
    },
    identity: async () => {
      const { clusterId } = await allowed('look at the cluster', admin.describeCluster());
      return `${clusterId}/${topic('')}`;
    },
    partitions: (name) => allowed(`look at ${topic(name)}`, partitionsOf(admin, topic(name))),
    logId: (name) => allowed(`look at ${topic(name)}`, logIdOf(admin, topic(name))),
    growTopics: (topics, partitions) =>
      allowed('give topics more partitions', growTopics(admin, topics.map(topic), partitions, missing)),
    offsets: (name) => allowed(`look at ${topic(name)}`, topicOffsets(admin, topic(name))),
    offsetsAt: (name, timestampMillis) =>
      allowed(`look at ${topic(name)}`, topicOffsetsAt(admin, topic(name), timestampMillis)),
    committed: (groupId, name) =>
      allowed(`look at ${topic(groupId)}`, committedOf(admin, topic(groupId), topic(name))),
    startGroup: (groupId, name, from) =>
      allowed(`set offsets of ${topic(groupId)}`, startGroup(admin, topic(groupId), topic(name), from)),
    livingGroups: async (prefix) => {
      const groups = await allowed(`look at ${topic(prefix)}`, livingGroupsOf(admin, topic(prefix)));
      return groups.map((groupId) => names.bare(groupId));
    },
    producer: (retryPolicy = 'step') =>
      createProducer(retryPolicy === 'step' ? client : outageClient, { topicName: topic, missing, log }),
    tail: (options) => {
      const isWritten = isWrittenByUs(options.topic);
      const maxBytes = maxRecordBytes(options.topic);
      const of = { isWritten, maxBytes, sessionTimeoutMillis, onFailure: tails.onFailure };
      const named = { ...options, ...of, topic: topic(options.topic) };
      return allowed(`follow ${named.topic}`, tailTopic(client, admin, named, log));
    },
    consume: (options) => {
      const topics = options.topics.map(topic);
      const doing = `read ${topics.join(', ')} as ${topic(options.groupId)}`;
      const onFailure = (cause: Error): void => {
        options.onFailure(orNotAllowed(cause, doing));
      };
      const named = { ...options, groupId: topic(options.groupId), topics, onFailure };
      return allowed(doing, consumeGroup(client, { ...named, sessionTimeoutMillis }, names));
    },
    failed: tails.failed,
    trouble: () => contact.trouble ?? missing.trouble,
    disconnect: () => {
      missing.close();
      return admin.disconnect();
    },
  };
  return withSignatures(kafka, keys);
}

function failureOfAny(): { readonly failed: Promise<never>; readonly onFailure: (cause: Error) => void } {
  let onFailure: (cause: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    onFailure = reject;
  });
  // Commands that read a topic once learn of it by their own waits.
  failed.catch(() => undefined);
  return { failed, onFailure };
}

/** Wait until a broker lets us in, or what no retry can mend is known. */
async function meet(admin: Admin, contact: BrokerContact, brokers: readonly string[]): Promise<void> {
  try {
    await admin.connect();
    // A broker that wants a user lets everybody connect, and hangs up at the first request.
    await admin.describeCluster();
  } catch (cause) {
    await contact.looked();
    await admin.disconnect().catch(() => undefined);
    const { trouble } = contact;
    if (trouble !== undefined) {
      const { message, hint } = trouble;
      throw new FedloopError('InvalidConfig', message, { hint, cause });
    }
    const hint = 'Check KAFKA_BROKERS and that the broker runs.';
    const message = `no Kafka broker answers at ${brokers.join(', ')}: ${messageOf(cause)}`;
    throw new FedloopError('KafkaUnavailable', message, { hint, cause });
  }
  contact.started();
}

/** The outcome of what we do; where an ACL is missing, with a sentence that says so. */
async function allowed<Outcome>(doing: string, outcome: Promise<Outcome>): Promise<Outcome> {
  try {
    return await outcome;
  } catch (cause) {
    throw orNotAllowed(cause, doing);
  }
}

function brokersOf(env: Environment): readonly string[] {
  if (env.KAFKA_BROKERS !== undefined) return env.KAFKA_BROKERS;
  throw new FedloopError('InvalidConfig', 'KAFKA_BROKERS is not set', {
    hint: 'Set it to host:port of one or more brokers, or run `fedloop demo`, which starts one.',
  });
}

function retryOf(policy: RetryPolicy): RetryOptions {
  return { initialRetryTime: 100, maxRetryTime: MAX_PAUSE_MS, retries: MAX_RETRIES[policy] };
}

function clientConfig(client: {
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly security: KafkaSecurity;
  readonly contact: BrokerContact;
  readonly log: Logger;
}): KafkaConfig {
  const { tls, sasl } = client.security;
  return {
    clientId: client.clientId,
    brokers: [...client.brokers],
    ssl: tls ?? false,
    ...(sasl === undefined ? {} : { sasl }),
    socketFactory: client.contact.sockets(),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => {
      // The library logs every reconnect as an error; its retries handle them, so they are details here.
      client.log.debug({ kafka: entry.namespace }, entry.log.message);
    },
  };
}

async function committedOf(admin: Admin, groupId: string, topic: string): Promise<readonly CommittedPlace[]> {
  return (await placesOf(admin, groupId, topic)).filter(({ offset }) => offset >= 0);
}

/**
 * Where a group has every partition: -1 where it has committed nothing; -2 where the library has committed "from its beginning", which it does
 * for a place behind the end of the log, and without our patch also for one before its first record.
 */
async function placesOf(admin: Admin, groupId: string, topic: string): Promise<readonly CommittedPlace[]> {
  const groups = await admin.fetchOffsets({ groupId, topics: [topic] });
  return groups
    .flatMap(({ partitions }) => partitions)
    .map(({ partition, offset, metadata }) => ({
      ...{ partition, offset: Number(offset) },
      isOurs: metadata === COMMIT_NOTE,
    }));
}

async function startGroup(
  admin: Admin,
  groupId: string,
  topic: string,
  from: 'latest' | number,
): Promise<void> {
  const places = await placesOf(admin, groupId, topic);
  if (places.some(({ offset }) => offset !== -1)) return;
  const offsets =
    from === 'latest'
      ? (await topicOffsets(admin, topic)).map(({ partition, high }) => ({ partition, offset: high }))
      : await topicOffsetsAt(admin, topic, from);
  const partitions = offsets.map(({ partition, offset }) => ({ partition, offset: String(offset) }));
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
