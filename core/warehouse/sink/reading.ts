import { type z } from 'zod';
import { messageWithHint } from '../../contracts/errors';
import { isStorableRecordTime } from '../../contracts/storable';
import { type Task } from '../../contracts/task';
import { TOPICS } from '../../contracts/topics';
import { undecodableSentence } from '../../contracts/undecodable';
import { parseJson } from '../../contracts/validation';
import { decisionChange } from './stream-decisions';
import { parseBlock, type Block } from './blocks';
import { deploymentChange } from './deployments';
import { ingestLossChange, isIngestLoss, parseIngestReject } from './ingest-rejects';
import { type Change, type Reading, type SinkRecord } from './records';
import { parseReject } from './rejects';
import { type StoredDeployments } from './stored-deployments';
import { updateChange } from './updates';

/** What the deployment has agreed on, as far as reading messages depends on it. */
export interface ReadingRules {
  readonly task: Task;
  /** Where the stream's events come from. */
  readonly eventTopic: string;
  /** Where the messages come from that ingest makes events of; undefined where they come from no topic. */
  readonly messageTopic: string | undefined;
  readonly schemas: Readonly<Record<Block['type'], z.ZodType<Block>>>;
  readonly stored: StoredDeployments;
}

/** Topics whose messages change rows one by one. */
const CHANGES: Readonly<
  Record<string, (record: SinkRecord, partition: number, rules: ReadingRules) => Change>
> = {
  [TOPICS.deployments.name]: (record, _, { task, stored }) => deploymentChange(record, task, stored),
  [TOPICS.updates.name]: updateChange,
  [TOPICS.checkpoints.name]: (record, partition, { eventTopic }) =>
    decisionChange(record, partition, eventTopic),
};

const REJECT_WITHOUT_HEADERS = invalid('a reject without its headers');

/** What a record says. Nothing that a record holds makes this throw: what cannot be read is put aside. */
export function readRecord(
  topic: string,
  partition: number,
  record: SinkRecord,
  rules: ReadingRules,
): Reading {
  const { undecodable } = record;
  if (undecodable !== undefined)
    return {
      kind: 'aside',
      reason: 'undecodable',
      detail: undecodableSentence(record.offset, undecodable),
    };
  if (!isStorableRecordTime(record.timestampMillis))
    return invalid(`a record of the time ${record.timestampMillis} ms since 1970`);
  try {
    return readContent(topic, partition, record, rules);
  } catch (cause) {
    const refused = record.signature !== undefined && record.signature !== 'valid';
    return { kind: 'aside', reason: refused ? 'unsigned' : 'invalid', detail: messageWithHint(cause) };
  }
}

function readContent(topic: string, partition: number, record: SinkRecord, rules: ReadingRules): Reading {
  const { task, schemas } = rules;
  switch (topic) {
    case TOPICS.analysis.name:
      return readBlock(schemas.analysis, partition, record, task);
    case TOPICS.evaluations.name:
      return readBlock(schemas.evaluation, partition, record, task);
    case TOPICS.rejects.name:
      return readReject(partition, record);
    case TOPICS.ingestRejects.name: {
      if (isIngestLoss(record)) return readChange(ingestLossChange(record, rules.messageTopic));
      const row = parseIngestReject(record);
      return row === undefined ? REJECT_WITHOUT_HEADERS : { kind: 'unmapped', row };
    }
    default:
      return readChange(CHANGES[topic]?.(record, partition, rules));
  }
}

function readChange(change: Change): Reading {
  if (change === undefined) return { kind: 'none' };
  return typeof change === 'string' ? invalid(change) : { kind: 'change', change };
}

function readBlock(
  schema: z.ZodType<Block>,
  partition: number,
  record: SinkRecord,
  { windowMicros }: Task,
): Reading {
  const block = parseBlock(schema, parseJson(record.value), windowMicros);
  if (typeof block === 'string') return invalid(block);
  if (block.partition !== partition) return invalid(`a block of partition ${block.partition}`);
  return block.type === 'fence'
    ? { kind: 'fence', epoch: block.epoch, reset: block.reset }
    : { kind: 'block', block };
}

function readReject(partition: number, record: SinkRecord): Reading {
  const event = parseReject(record);
  if (event === undefined) return REJECT_WITHOUT_HEADERS;
  if ('fence' in event) return { kind: 'fence', epoch: event.fence, reset: undefined };
  return event.partition === partition
    ? { kind: 'reject', event }
    : invalid(`a reject of partition ${event.partition}`);
}

function invalid(detail: string): Extract<Reading, { kind: 'aside' }> {
  return { kind: 'aside', reason: 'invalid', detail };
}
