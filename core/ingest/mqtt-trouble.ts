import { ReasonCodes } from 'mqtt';
import { certificateFault } from '../contracts/certificate-faults';
import { messageOf } from '../contracts/errors';
import { type Source } from '../contracts/source';
import { type MqttLogin } from './mqtt-login';

/** How a connection with an MQTT server ended. */
export interface MqttEnding {
  /**
   * `unanswered`: the server hung up or kept silent when we came; `subscription`: it refused the topics; `dismissal`: it sent us off;
   * `away`: everything else.
   */
  readonly stage: 'away' | 'unanswered' | 'subscription' | 'dismissal';
  readonly cause: unknown;
}

/** Reasons of CONNACK in MQTT 3.1.1 (3.2.2.3), below 128, and MQTT 5 (3.2.2.2). */
const UNKNOWN_VERSION: ReadonlySet<unknown> = new Set([1, 132]);
const BAD_LOGIN: ReadonlySet<unknown> = new Set([4, 5, 134, 135]);
/** MQTT 5, 3.14.2.1. */
const SESSION_TAKEN_OVER = 142;

/** Whether a server has said that it does not know the version of the protocol. */
export function isVersionRefused(cause: unknown): boolean {
  return UNKNOWN_VERSION.has(codeOf(cause));
}

/** Whether a server hung up or kept silent, as some do that do not know the version. */
export function hasHungUp(cause: unknown): boolean {
  const code = codeOf(cause);
  return code === undefined || code === 'ECONNRESET' || code === 'EPIPE';
}

/** Why nothing is read from a server, and what to do: one sentence, which names no user. */
export function mqttTrouble(
  { stage, cause }: MqttEnding,
  { url, topic }: NonNullable<Source['mqtt']>,
  login: MqttLogin,
): string {
  const server = `the MQTT server ${url}`;
  const code = codeOf(cause);
  if (stage === 'subscription')
    return `${server} does not let us read ${topic}: allow it to the user of FEDLOOP_MQTT_USERNAME (${textOf(cause)})`;
  if (stage === 'dismissal' && code === SESSION_TAKEN_OVER)
    return `${server} serves another client under our name: give each fleet a name of its own, by fleet in its deployment file`;
  if (stage === 'unanswered') return `${server} does not answer: ${otherPort(url)} (${textOf(cause)})`;
  if (BAD_LOGIN.has(code)) return `${server} ${badLogin(login)}`;
  if (UNKNOWN_VERSION.has(code)) return `${server} knows neither version 5 nor 3.1.1 of MQTT: update it`;
  return `${certificateTrouble(server, code, login) ?? `${server} is away`}: ${textOf(cause)}`;
}

/** What a server with TLS does to those that come without, and the other way round. */
function otherPort(url: string): string {
  return /^(mqtts|wss):/.test(url)
    ? 'where it speaks no TLS there, give source.mqtt.url with the port for TLS, usually 8883, or with mqtt://'
    : 'where it speaks TLS there, give source.mqtt.url with mqtts://';
}

function badLogin({ username }: MqttLogin): string {
  return username === undefined
    ? 'lets nobody in without a user: set FEDLOOP_MQTT_USERNAME and FEDLOOP_MQTT_PASSWORD, and start the worker again'
    : 'refuses the user or the password: correct FEDLOOP_MQTT_USERNAME and FEDLOOP_MQTT_PASSWORD, and start the worker again';
}

function certificateTrouble(server: string, code: unknown, { ca }: MqttLogin): string | undefined {
  const fault = certificateFault(code);
  if (fault === 'out-of-date') return `the certificate of ${server} is out of date, renew it`;
  if (fault === 'other-name')
    return `the certificate of ${server} is for another name, give source.mqtt.url with a name that it has`;
  if (fault === 'unknown-authority') {
    return ca === undefined
      ? `the certificate of ${server} is signed by an unknown authority, name the file with the authority's certificate in FEDLOOP_MQTT_CA`
      : `the certificate of ${server} is not signed by those in the file of FEDLOOP_MQTT_CA, name the right file`;
  }
  if (typeof code !== 'string' || !/^(EPROTO|ERR_SSL)/.test(code)) return undefined;
  return `no TLS with ${server}, give source.mqtt.url with the port for TLS, usually 8883, or with mqtt://`;
}

/** What a DISCONNECT of a server means. */
export function dismissal(reasonCode: number | undefined): Error {
  const reason = ReasonCodes[reasonCode as keyof typeof ReasonCodes] as string | undefined;
  return Object.assign(new Error(`the server has ended the connection: ${reason ?? 'it gives no reason'}`), {
    code: reasonCode,
  });
}

function codeOf(cause: unknown): unknown {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined;
}

/** Where a name has several addresses, none of which answers, the error itself has no text. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return cause.errors.map(messageOf).join(', ');
  return messageOf(cause);
}
