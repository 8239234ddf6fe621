import { DOUBLE, INTEGER, VARCHAR } from '@duckdb/node-api';
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
import { list } from '../database/values';
import { parseJson } from '../../contracts/validation';

/** What the warehouse keeps of `model-updates`: what locals say of themselves and what became of them, never weights. */
export type UpdateMessage = UpdateHeader | OutcomeMessage | LeftOutMessage;

/** @returns undefined for the messages that are the round's own business; a text for what should be ours and is not valid. */
export function parseUpdate(record: SinkRecord): UpdateMessage | undefined | string {
  const kind = record.key?.split('/')[0];
  if (kind === 'update') {
    const parsed = updateHeaderSchema.safeParse(headerOf(record.value));
    return parsed.success ? parsed.data : (parsed.error.issues[0]?.message ?? 'not valid');
  }
  if (kind === 'outcome') {
    const parsed = outcomeMessageSchema.safeParse(parseJson(record.value));
    return parsed.success ? parsed.data : (parsed.error.issues[0]?.message ?? 'not valid');
  }
  if (kind === 'left-out') {
    const parsed = leftOutMessageSchema.safeParse(parseJson(record.value));
    return parsed.success ? parsed.data : (parsed.error.issues[0]?.message ?? 'not valid');
  }
  return undefined;
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
  return inside.run(
    `INSERT OR REPLACE INTO left_out_updates
     SELECT $round, $attempt, unnest($device), unnest($site), unnest($reason), unnest($copies)`,
    {
      round: message.round,
      attempt: message.attempt,
      device: list(message.device_id, VARCHAR),
      site: list(message.site, VARCHAR),
      reason: list(message.reason, VARCHAR),
      copies: list(message.copies, INTEGER),
    },
  );
}

/** An average over claims that are no numbers would be none. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The first word of a device in a try counts; an update sent twice changes nothing here. */
async function storeHeader(inside: Statements, header: UpdateHeader): Promise<void> {
  const { devices, left_out } = header;
  await inside.run(
    `INSERT OR IGNORE INTO local_models (round, attempt, device_id, site, base_version, training_rows,
                                         self_reported_accuracy, self_reported_loss, base_loss)
     SELECT DISTINCT ON (device) $round, $attempt, device, $site, $base, trained, accuracy, loss, base
     FROM (SELECT unnest($device) AS device, unnest($trained) AS trained, unnest($accuracy) AS accuracy,
                  unnest($loss) AS loss, unnest($baseLoss) AS base)`,
    {
      round: header.round,
      attempt: header.attempt,
      site: header.site,
      base: header.base_version,
      device: list(
        devices.map(({ device_id }) => device_id),
        VARCHAR,
      ),
      trained: list(
        devices.map(({ rows }) => rows),
        INTEGER,
      ),
      accuracy: list(
        devices.map(({ self_reported_accuracy }) => finite(self_reported_accuracy)),
        DOUBLE,
      ),
      loss: list(
        devices.map(({ self_reported_loss }) => finite(self_reported_loss)),
        DOUBLE,
      ),
      baseLoss: list(
        devices.map(({ base_loss }) => finite(base_loss)),
        DOUBLE,
      ),
    },
  );
  await inside.run(
    `INSERT OR IGNORE INTO local_models (round, attempt, device_id, site, base_version, left_out)
     SELECT DISTINCT ON (device) $round, $attempt, device, $site, $base, reason
     FROM (SELECT unnest($device) AS device, unnest($reason) AS reason)`,
    {
      round: header.round,
      attempt: header.attempt,
      site: header.site,
      base: header.base_version,
      device: list(
        left_out.map(({ device_id }) => device_id),
        VARCHAR,
      ),
      reason: list(
        left_out.map(({ reason }) => reason),
        VARCHAR,
      ),
    },
  );
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
