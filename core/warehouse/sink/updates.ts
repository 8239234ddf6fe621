import { DOUBLE, INTEGER, VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { contributionMessageSchema, type ContributionMessage } from '../../contracts/contribution';
import {
  leftOutMessageSchema,
  outcomeMessageSchema,
  updateHeaderSchema,
  type LeftOutMessage,
  type OutcomeMessage,
  type UpdateHeader,
} from '../../contracts/updates';
import { parseJson } from '../../contracts/validation';
import { decodeFrame } from '../../platform/frames';
import { type Statements } from '../database/connection';
import { insertRows } from '../database/insert';
import { column, list } from '../database/values';
import { type Change, type SinkRecord } from './records';

/** What is stored of `model-updates`: what local models report, what came of their updates, and what they brought; never weights. */
type UpdateMessage = UpdateHeader | OutcomeMessage | LeftOutMessage | ContributionMessage;

/** Kinds of messages that are stored, by the first part of their keys. */
const STORED: Readonly<Record<string, (value: Buffer | null) => z.ZodSafeParseResult<UpdateMessage>>> = {
  update: (value) => updateHeaderSchema.safeParse(headerOf(value)),
  outcome: (value) => outcomeMessageSchema.safeParse(parseJson(value)),
  'left-out': (value) => leftOutMessageSchema.safeParse(parseJson(value)),
  contribution: (value) => contributionMessageSchema.safeParse(parseJson(value)),
};

/** Local models of a round and their updates. Other messages are the round's own. */
export function updateChange({ key, value }: SinkRecord): Change {
  const parsed = STORED[key?.split('/')[0] ?? '']?.(value);
  if (parsed?.success === false) return z.prettifyError(parsed.error);
  const message = parsed?.data;
  switch (message?.type) {
    case 'update':
      return (inside) => storeHeader(inside, message);
    case 'outcome':
      return (inside) => storeOutcome(inside, message);
    case 'left-out':
      return (inside) => storeLeftOut(inside, message);
    case 'contribution':
      return (inside) => storeContributions(inside, message);
    case undefined:
      return undefined;
  }
}

function headerOf(value: Buffer | null): unknown {
  try {
    return value === null ? undefined : decodeFrame(value).header;
  } catch {
    return undefined;
  }
}

/** A retry of the round writes the same again. */
function storeLeftOut(inside: Statements, message: LeftOutMessage): Promise<void> {
  const own = {
    device_id: list(message.device_id, VARCHAR),
    site: list(message.site, VARCHAR),
    reason: list(message.reason, VARCHAR),
    copies: list(message.copies, INTEGER),
  };
  return insertRows(inside, 'left_out_updates', { same: triedIn(message), own }, 'replace');
}

/** A retry of the round writes the same again. */
function storeContributions(inside: Statements, message: ContributionMessage): Promise<void> {
  const { version: model_version, proposal } = message;
  const own = {
    site: list(message.site, VARCHAR),
    // No device has an empty name: such a row is of its site.
    device_id: list(
      message.device_id.map((id) => id ?? ''),
      VARCHAR,
    ),
    method: list(message.method, VARCHAR),
    contribution: list(message.contribution, DOUBLE),
    standard_error: list(message.standard_error, DOUBLE),
    soft_contribution: list(message.soft_contribution, DOUBLE),
    soft_standard_error: list(message.soft_standard_error, DOUBLE),
    weight: list(message.weight, DOUBLE),
    training_rows: list(message.rows, INTEGER),
  };
  const same = { ...triedIn(message), model_version, proposal };
  return insertRows(inside, 'contribution_rows', { same, own }, 'replace');
}

/** A training that a reset repeats is another one: rows of two must not mix. */
function triedIn({ round, attempt, take }: UpdateMessage): {
  readonly round: number;
  readonly attempt: string;
} {
  return { round, attempt: take ?? attempt };
}

/** One NaN would make every average NaN. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** The first message of a device in an attempt counts: an update sent twice changes nothing. */
async function storeHeader(inside: Statements, header: UpdateHeader): Promise<void> {
  const { devices, left_out: leftOut, site, base_version } = header;
  const same = { ...triedIn(header), site, base_version };
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

/** The outcome overrides what the update reported, but for figures that it lacks. */
function storeOutcome(inside: Statements, outcome: OutcomeMessage): Promise<void> {
  const { version: model_version } = outcome;
  const own = {
    device_id: list(outcome.device_id, VARCHAR),
    site: list(outcome.site, VARCHAR),
    training_rows: list(outcome.rows, INTEGER),
    self_reported_accuracy: list(outcome.self_reported_accuracy, DOUBLE),
    real_accuracy: list(outcome.real_accuracy, DOUBLE),
    weight: list(outcome.weight, DOUBLE),
    left_out: list(outcome.left_out, VARCHAR),
  };
  const set = `model_version = excluded.model_version,
    training_rows = coalesce(local_models.training_rows, excluded.training_rows),
    self_reported_accuracy = coalesce(local_models.self_reported_accuracy, excluded.self_reported_accuracy),
    real_accuracy = excluded.real_accuracy, weight = excluded.weight, left_out = excluded.left_out`;
  const rows = { same: { ...triedIn(outcome), model_version }, own, distinct: 'device_id' };
  return insertRows(inside, 'local_models', rows, { set });
}
