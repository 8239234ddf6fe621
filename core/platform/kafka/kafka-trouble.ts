import { FedloopError, messageOf } from '../../contracts/errors';
import { BROKER_BATCH_BYTES } from '../../contracts/topics';
import { tlsTrouble } from '../tls-trouble';
import { type KafkaSecurity } from './kafka-security';
import { NoToken, TokenRefused } from './oauth-login';
import { type Listener } from './probe-listener';

/** What keeps us from a broker, in one sentence, and what to do. Names neither user nor secret. */
export interface KafkaTrouble {
  readonly message: string;
  readonly hint: string;
  /** It may pass although nobody changes anything. */
  readonly passes?: boolean;
}

/** The library's own words for a login that the network has cut off. */
const ABOUT_THE_CONNECTION =
  /: (Closed connection|Connection (error|timeout|closed)|Not connected|Request .* timed out|Failed to connect)/;

/** A broker that has answered before. */
export function awayTrouble(broker: string): KafkaTrouble {
  return {
    message: `the Kafka broker ${broker} does not answer`,
    hint: 'See that it runs and that the network between us lets everything through; work goes on by itself when it answers.',
    passes: true,
  };
}

/** What rests on a topic: nothing, rows and versions by its records, or the rows by its very offsets. */
export type WhatRests = 'nothing' | 'records' | 'offsets';

const HINTS_WHEN_MISSING: Readonly<Record<WhatRests, string>> = {
  nothing: 'Start the workers again, which make topics that are missing; what it held is gone with it.',
  records:
    'Bring it back from a copy before workers are started again: they would make it empty, and not go on with rows and versions that rest on what it held.',
  offsets:
    'Bring it back with the files of its brokers: a copy is another log, and is not read, for rows rest on the offsets of this one. Or start anew under another fleet name.',
};

/** What is said of a topic that was deleted, and what to do. */
export function missingTrouble(topic: string, rests: WhatRests = 'nothing'): KafkaTrouble {
  return {
    message: `the Kafka brokers do not have the topic ${topic}`,
    hint: HINTS_WHEN_MISSING[rests],
  };
}

/** How a connection ended. @returns undefined where another attempt may succeed: the broker is away. */
export function connectionTrouble(
  broker: string,
  cause: unknown,
  { tls }: KafkaSecurity,
): KafkaTrouble | undefined {
  return tlsTrouble(cause, {
    server: `the Kafka broker ${broker}`,
    names: { address: 'KAFKA_BROKERS', ca: 'KAFKA_CA', certificate: 'KAFKA_CERT', key: 'KAFKA_KEY' },
    hasCa: tls?.ca !== undefined,
    hasCertificate: tls?.cert !== undefined,
  });
}

/** A listener that hung up on us is another than the one that we need. @returns undefined where it is the right one. */
export function listenerTrouble(
  broker: string,
  listener: Listener,
  { tls, mechanism }: KafkaSecurity,
): KafkaTrouble | undefined {
  if (listener.tls) {
    if (tls !== undefined) return undefined;
    const hint = 'Set KAFKA_TLS=true, or give KAFKA_BROKERS with the port of a listener without TLS.';
    return { message: `the Kafka broker ${broker} speaks TLS there`, hint };
  }
  if (tls !== undefined) {
    const hint = 'Give KAFKA_BROKERS with the port for TLS, or set KAFKA_TLS=false.';
    return { message: `the Kafka broker ${broker} speaks no TLS there`, hint };
  }
  return mechanism === undefined && listener.mechanisms !== undefined
    ? userNeeded(broker, listener.mechanisms)
    : undefined;
}

/** @param offered mechanisms of the broker. */
export function userNeeded(broker: string, offered: readonly string[]): KafkaTrouble {
  const names = offered.length === 0 ? '' : ` (it offers ${offered.join(', ')})`;
  return {
    message: `the Kafka broker ${broker} lets nobody in without a user`,
    hint: `Set KAFKA_SASL_MECHANISM${names}, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.`,
  };
}

/** Why a login failed. @returns undefined where another attempt may succeed. */
export function loginTrouble(
  broker: string,
  cause: unknown,
  { mechanism = 'plain' }: KafkaSecurity,
): KafkaTrouble | undefined {
  const server = `the Kafka broker ${broker}`;
  const name = mechanism.toUpperCase();
  if (cause instanceof NoToken)
    return {
      message: `there is no token for ${server}: ${cause.message}`,
      hint: 'It is asked for at each login.',
      passes: cause.passes,
    };
  if (cause instanceof TokenRefused) {
    const hint =
      'Check issuer, audience and end of the token that KAFKA_OAUTH_TOKEN_FILE or KAFKA_OAUTH_TOKEN_URL gives.';
    return { message: `${server} refuses the token`, hint };
  }
  const type = cause instanceof Error && 'type' in cause ? cause.type : undefined;
  const text = messageOf(cause);
  if (type === 'ILLEGAL_SASL_STATE') {
    const hint =
      'Unset KAFKA_SASL_MECHANISM and its relatives, or give KAFKA_BROKERS with the port for users.';
    return { message: `${server} asks for no user there`, hint };
  }
  if (type === 'UNSUPPORTED_SASL_MECHANISM' || text.includes('mechanism is not supported')) {
    const hint = 'Set KAFKA_SASL_MECHANISM to one that it offers.';
    return { message: `${server} does not offer the mechanism ${name}`, hint };
  }
  // The library keeps nothing of the broker's answer but its text, which each kind of broker words in its own way.
  if (type === undefined && (isOtherKind(cause) || ABOUT_THE_CONNECTION.test(text))) return undefined;
  const hint = 'Correct KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD.';
  return { message: `${server} refuses the user or the password (${name})`, hint };
}

function isOtherKind(cause: unknown): boolean {
  return !(cause instanceof Error && cause.name === 'KafkaJSSASLAuthenticationError');
}

/** The same failure, with a sentence where it is that the user is not allowed to do something. */
export function orNotAllowed<Cause>(cause: Cause, doing: string): Cause | FedloopError {
  const refusal = refusalIn(cause);
  if (refusal === undefined) return cause;
  const what = refusal.startsWith('CLUSTER')
    ? 'the cluster'
    : refusal.startsWith('GROUP')
      ? 'the consumer group'
      : 'the topic';
  return new FedloopError(
    'InvalidConfig',
    `the Kafka brokers do not allow our user to ${doing}: it lacks an ACL of ${what}`,
    {
      hint: 'Give it the ACLs that docs/scaling.md lists for the role.',
      cause,
    },
  );
}

/** The same failure, with a sentence where it is that a topic takes no batches as large as those that we send. It may pass. */
export function orTooLarge<Cause>(cause: Cause, topic: string): Cause | FedloopError {
  const isTooLarge = typeIn(cause, (type) => TOO_LARGE.has(type)) !== undefined;
  if (!isTooLarge) return cause;
  return new FedloopError('KafkaUnavailable', `the topic ${topic} takes no batches as large as ours`, {
    hint: `Remove its max.message.bytes, or set it to ${BROKER_BATCH_BYTES} or more.`,
    cause,
  });
}

const TOO_LARGE: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

/** Type of Kafka's error in what the library has made of it, where it is that an ACL is missing. */
export function refusalIn(cause: unknown): string | undefined {
  return typeIn(cause, (type) => type.endsWith('_AUTHORIZATION_FAILED'));
}

function typeIn(cause: unknown, isWanted: (type: string) => boolean): string | undefined {
  if (!(cause instanceof Error)) return undefined;
  if ('type' in cause && typeof cause.type === 'string' && isWanted(cause.type)) return cause.type;
  const inner: readonly unknown[] =
    'errors' in cause && Array.isArray(cause.errors) ? cause.errors : [cause.cause];
  for (const each of inner) {
    const found = each === cause ? undefined : typeIn(each, isWanted);
    if (found !== undefined) return found;
  }
  return undefined;
}
