import { type AnomalyKind } from '../../../core/contracts/anomalies';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import {
  type AnalysisBlock,
  type EvaluationBlock,
  type EvaluationColumns,
} from '../../../core/contracts/blocks';
import { versionIdSchema } from '../../../core/contracts/ids';
import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../../core/contracts/settings';
import { TOPICS } from '../../../core/contracts/topics';
import { encodeFrame } from '../../../core/platform/frames';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { type Warehouse } from '../../../core/warehouse/database/open';
import { storeSettings } from '../../../core/warehouse/sink/deployments';
import { type SinkRecord, type SinkRecords } from '../../../core/warehouse/sink/records';

export const WINDOW = DEFAULT_STREAM_SETTINGS.task.windowMicros;
/** 2020-01-01T00:00:00Z. */
export const T0 = Date.UTC(2020, 0, 1) * 1000;

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'fedloop-warehouse-'));
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true });
    },
  };
}

export interface Place {
  readonly window: number;
  readonly ordinal?: number;
  readonly last?: boolean;
  readonly epoch?: number;
  readonly partition?: number;
}

function header(place: Place) {
  const { window, ordinal = 0, last = true, epoch = 1, partition = 0 } = place;
  const window_start = T0 + window * WINDOW;
  return { partition, epoch, window_start, window_end: window_start + WINDOW, ordinal, last };
}

/** One row a device; the mean counts up from 20 °C. */
export function analysisBlock(place: Place, devices: readonly string[]): AnalysisBlock {
  const all = <Value>(value: Value): Value[] => devices.map(() => value);
  return {
    type: 'analysis',
    ...header(place),
    columns: {
      device_id: [...devices],
      count: all(12),
      avg: devices.map((_, index) => 20 + index),
      min: all(19),
      max: all(22),
      stddev: all(0.5),
      max_abs_z: devices.map((_, index) => (index % 2 === 0 ? 2.1 : 2.9)),
      outliers: devices.map((_, index) => index % 2),
      humidity_avg: all(null),
      pressure_avg: all(1010),
      actual_anomaly: devices.map((_, index) => (index === 0 ? null : index % 2 === 0 ? 0 : 1)),
    },
  };
}

export interface EvaluationRow {
  readonly version: string;
  readonly device: string;
  readonly error: number;
  /** Error of the forecast as served; left out: served as it is. */
  readonly served?: number;
  readonly confidence?: number;
  readonly persistence?: number;
  readonly predicted?: 0 | 1 | null;
  readonly actual?: 0 | 1 | null;
  /** Of the predicted anomaly, null = none; left out: a version of an earlier release, which has no band. */
  readonly kind?: AnomalyKind | null;
  readonly regime?: 'rising' | 'falling' | 'steady';
}

/** The actual mean is always 20 °C and the tolerance 1 °C. */
export function evaluationBlock(
  place: Place,
  rows: readonly EvaluationRow[],
): EvaluationBlock & { readonly columns: EvaluationColumns } {
  return {
    type: 'evaluation',
    ...header(place),
    columns: {
      model_version: rows.map(({ version }) => versionIdSchema.parse(version)),
      device_id: rows.map(({ device }) => device),
      prediction_result: rows.map(({ error }) => 20 + error),
      served_result: rows.map(({ served }) => (served === undefined ? null : 20 + served)),
      actual_result: rows.map(() => 20),
      error: rows.map(({ error }) => error),
      loss: rows.map(({ error }) => error * error),
      is_correct: rows.map(({ error }) => (Math.abs(error) <= 1 ? 1 : 0)),
      confidence: rows.map(({ confidence }) => confidence ?? 0.75),
      persistence_error: rows.map(({ persistence }) => persistence ?? 1.5),
      predicted_anomaly: rows.map(({ predicted }) => predicted ?? null),
      band: rows.map(({ kind }) => (kind === undefined ? null : 2)),
      anomaly_score: rows.map(({ kind }) => (kind === undefined ? null : kind === null ? 0.5 : 4.5)),
      anomaly_kind: rows.map(({ kind }) => kind ?? null),
      actual_anomaly: rows.map(({ actual }) => actual ?? null),
      regime: rows.map(({ regime }) => regime ?? 'steady'),
    },
  };
}

export function record(offset: number, value: unknown, extra: Partial<SinkRecord> = {}): SinkRecord {
  return {
    offset,
    timestampMillis: 1_600_000_000_000 + offset,
    key: null,
    value: value instanceof Buffer ? value : Buffer.from(JSON.stringify(value)),
    headers: {},
    ...extra,
  };
}

export function frame(headerOfFrame: unknown): Buffer {
  return encodeFrame(headerOfFrame, new Float32Array([1, 2, 3]));
}

export function batch(
  role: keyof typeof TOPICS,
  partition: number,
  records: readonly SinkRecord[],
): SinkRecords {
  return { topic: TOPICS[role].name, partition, records };
}

/** What the service does when it starts: the tables know what the deployment has agreed on. */
export async function agreeOnSettings(
  connection: SerialConnection,
  settings: StreamSettings = DEFAULT_STREAM_SETTINGS,
): Promise<void> {
  await connection.transaction((inside) => storeSettings(inside, settings));
}

/** Plain rows of an SQL query. */
export async function query(connection: SerialConnection, sql: string): Promise<Record<string, unknown>[]> {
  return connection.rows(z.record(z.string(), z.unknown()), sql);
}

export async function withConnection<Result>(
  warehouse: Warehouse,
  work: (connection: SerialConnection) => Promise<Result>,
): Promise<Result> {
  const connection = await warehouse.connect();
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}
