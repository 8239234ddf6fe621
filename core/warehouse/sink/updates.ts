import { DOUBLE, INTEGER, VARCHAR } from '@duckdb/node-api';
import { type z } from 'zod';
import {
  leftOutMessageSchema,
  outcomeMessageSchema,
  updateHeaderSchema,
  type LeftOutMessage,
  type OutcomeMessage,
  type UpdateHeader,
} from '../../contracts/updates';
import { decodeFrame } from '../../platform/frames';
import { type Statements } from '../database/connection';
import { type SinkRecord } from './records';
import { insertRows } from '../database/insert';
import { column, list } from '../database/values';
import { parseJson } from '../../contracts/validation';

/** What the warehouse keeps of `model-updates`: what locals say of themselves and what became of them, never weights. */
export type UpdateMessage = UpdateHeader | OutcomeMessage | LeftOutMessage;

/** Kinds of messages that are kept, by the first part of their keys. */
const KEPT: Readonly<Record<string, (value: Buffer | null) => z.ZodSafeParseResult<UpdateMessage>>> = {
  update: (value) => updateHeaderSchema.safeParse(headerOf(value)),
  outcome: (value) => outcomeMessageSchema.safeParse(parseJson(value)),
  'left-out': (value) => leftOutMessageSchema.safeParse(parseJson(value)),
};

/** @returns undefined for the messages that are the round's own business; a text for what should be ours and is not valid. */
export function parseUpdate(record: SinkRecord): UpdateMessage | undefined | string {
  const parsed = KEPT[record.key?.split('/')[0] ?? '']?.(record.value);
  if (parsed === undefined) return undefined;
  return parsed.success ? parsed.data : (parsed.error.issues[0]?.message ?? 'not valid');
}

function headerOf(value: Buffer | null): unknown {
  try {
    return value === null ? undefined : decodeFrame(value).header;
  } catch {
    return undefined;
  }
}

export function storeUpdate(inside: Statements, message: UpdateMessage): Promise<void> {
  switch (message.type) {
    case 'update':
      return storeHeader(inside, message);
    case 'outcome':
      return storeOutcome(inside, message);
    case 'left-out':
      return storeLeftOut(inside, message);
  }
}

/** Said again after a retry, it is the same again. */
function storeLeftOut(inside: Statements, message: LeftOutMessage): Promise<void> {
  const own = {
    device_id: list(message.device_id, VARCHAR),
    site: list(message.site, VARCHAR),
    reason: list(message.reason, VARCHAR),
    copies: list(message.copies, INTEGER),
  };
  const { round, attempt } = message;
  return insertRows(inside, 'left_out_updates', { same: { round, attempt }, own }, 'replace');
}

/** An average over claims that are no numbers would be none. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The first message of a device in a try counts; an update sent twice changes nothing here. */
async function storeHeader(inside: Statements, header: UpdateHeader): Promise<void> {
  const { devices, left_out: leftOut, round, attempt, site, base_version } = header;
  const same = { round, attempt, site, base_version };
  const trained = {
    device_id: column(devices, VARCHAR, ({ device_id }) => device_id),
    training_rows: column(devices, INTEGER, ({ rows }) => rows),
    self_reported_accuracy: column(devices, DOUBLE, (device) => finite(device.self_reported_accuracy)),
    self_reported_loss: column(devices, DOUBLE, (device) => finite(device.self_reported_loss)),
    base_loss: column(devices, DOUBLE, ({ base_loss }) => finite(base_loss)),
  };
  await insertRows(inside, 'local_models', { same, own: trained, distinct: 'device_id' }, 'ignore');
  const untrained = {
    device_id: column(leftOut, VARCHAR, ({ device_id }) => device_id),
    left_out: column(leftOut, VARCHAR, ({ reason }) => reason),
  };
  await insertRows(inside, 'local_models', { same, own: untrained, distinct: 'device_id' }, 'ignore');
}

/** The aggregator has the last word on what became of an update. */
async function storeOutcome(inside: Statements, outcome: OutcomeMessage): Promise<void> {
  await inside.run(
    `INSERT INTO local_models (round, attempt, device_id, site, model_version, training_rows, self_reported_accuracy,
                               real_accuracy, weight, left_out)
     SELECT DISTINCT ON (device) $round, $attempt, device, site, $version, trained, accuracy, real, weight, reason
     FROM (SELECT unnest($device) AS device, unnest($site) AS site, unnest($trained) AS trained,
                  unnest($accuracy) AS accuracy, unnest($real) AS real, unnest($weight) AS weight, unnest($reason) AS reason)
     ON CONFLICT DO UPDATE SET model_version = excluded.model_version,
       training_rows = coalesce(local_models.training_rows, excluded.training_rows),
       self_reported_accuracy = coalesce(local_models.self_reported_accuracy, excluded.self_reported_accuracy),
       real_accuracy = excluded.real_accuracy, weight = excluded.weight, left_out = excluded.left_out`,
    {
      round: outcome.round,
      attempt: outcome.attempt,
      version: outcome.version,
      device: list(outcome.device_id, VARCHAR),
      site: list(outcome.site, VARCHAR),
      trained: list(outcome.rows, INTEGER),
      accuracy: list(outcome.self_reported_accuracy, DOUBLE),
      real: list(outcome.real_accuracy, DOUBLE),
      weight: list(outcome.weight, DOUBLE),
      reason: list(outcome.left_out, VARCHAR),
    },
  );
}
