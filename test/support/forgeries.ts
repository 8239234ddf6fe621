import { Kafka as KafkaJs, logLevel, type Message } from 'kafkajs';
import { deploymentMessageSchema, untrainedLineage } from '../../core/contracts/deployments';
import { type VersionId } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { modelMessage, stageMessage } from '../../core/model/deployment-messages';
import { type DeploymentKeys } from '../../core/platform/deployment-keys';
import { type IncomingRecord, type Kafka } from '../../core/platform/kafka';
import { version } from './stream-deployment';
import { SIGNATURE_HEADER } from '../../core/platform/kafka/signed-topics';
import { untrainedModel } from './task';

const TOPIC = TOPICS.deployments.name;
/** Later than all that a fleet has written: nothing is refused for its age alone. */
const LATER = '2100-01-01T00:00:00.000Z';

interface Forged {
  readonly key: string;
  readonly value: string;
}

/** Messages of `model-deployments` that none may take in, by why not. */
export interface Forgeries {
  /** Unsigned, signed with another key, or under the signature of another message. */
  readonly unsigned: readonly Message[];
  /** Signed rightly, and older than what has replaced it. */
  readonly sentAgain: readonly Message[];
  /** Those of Kafka, which say that a key has no message. */
  readonly tombstones: readonly Message[];
}

/** All of the log so far. */
export async function deploymentLog(kafka: Kafka): Promise<readonly IncomingRecord[]> {
  const found: IncomingRecord[] = [];
  const onRecords = (records: readonly IncomingRecord[]): void => void found.push(...records);
  const tail = await kafka.tail({ topic: TOPIC, from: 'start', onRecords });
  await tail.caughtUp;
  await tail.close();
  return found;
}

/**
 * What somebody can make of the log who may write to the topic and has a key of their own.
 * @param log whose first version is no longer champion.
 */
export function forgeriesOf(
  log: readonly IncomingRecord[],
  champion: VersionId,
  theirs: DeploymentKeys,
): Forgeries {
  const latest = (key: string): IncomingRecord =>
    of(
      log.findLast((record) => keyOf(record) === key),
      key,
    );
  const first = log.find((record) => keyOf(record) === 'stage/v0' && SIGNATURE_HEADER in record.headers);
  const model = latest(`model/${champion}`);
  const stage = latest(`stage/${champion}`);
  const other = modelMessage(untrainedModel('v900'), untrainedLineage(1), LATER);
  const staged = (name: string, to: 'champion' | 'rolled-back'): Forged => ({
    key: `stage/${name}`,
    value: JSON.stringify(
      stageMessage({ version: version(name), stage: to, round: 1, reason: 'forged' }, LATER),
    ),
  });
  const bytes = { onnx_base64: other.onnx_base64, sha256: other.sha256 };
  return {
    unsigned: [
      staged('v0', 'champion'),
      staged(champion, 'rolled-back'),
      { key: 'settings', value: latest('settings').value },
      { key: 'server-state/current', value: latest('server-state/current').value },
      signedBy(theirs, { key: 'model/v900', value: JSON.stringify(other) }),
      signedBy(theirs, staged('v900', 'champion')),
      { ...model, value: JSON.stringify({ ...messageOf(model), ...bytes }) },
      { ...staged('v0', 'champion'), headers: { ...stage.headers } },
    ],
    sentAgain: [{ ...of(first, 'signed stage of v0') }],
    tombstones: ['settings', `model/${champion}`, `stage/${champion}`].map((key) => ({ key, value: null })),
  };
}

/** Send them as any client of Kafka can. */
export async function sendRaw(broker: string, messages: readonly Message[]): Promise<void> {
  const producer = new KafkaJs({ brokers: [broker], logLevel: logLevel.NOTHING }).producer();
  await producer.connect();
  await producer.send({ topic: TOPIC, messages: [...messages] });
  await producer.disconnect();
}

function signedBy(keys: DeploymentKeys, message: Forged): Message {
  return { ...message, headers: { [SIGNATURE_HEADER]: keys.sign(message) } };
}

function messageOf({ value }: IncomingRecord): object {
  return deploymentMessageSchema.parse(value && parseJson(value));
}

function keyOf({ key }: IncomingRecord): string | undefined {
  return key?.toString();
}

function of(record: IncomingRecord | undefined, what: string): IncomingRecord {
  if (record === undefined) throw new Error(`the log has no ${what}`);
  return record;
}
