import { z } from 'zod';
import { FedloopError } from '../../contracts/errors';
import { versionIdSchema } from '../../contracts/ids';
import { DEFAULT_TASK } from '../../contracts/task';
import { microsSchema } from '../../contracts/time';
import { parseJson, parseOrThrow } from '../../contracts/validation';
import { type PartitionEngine } from '../engine';
import { type OutstandingForecasts } from '../forecasts/forecasts';

/** Raised when the layout changes; a checkpoint of another layout is passed over, and recovery reads further back. */
const LAYOUT = 1;

const count = z.int().min(0);
const headerSchema = z.object({
  layout: z.literal(LAYOUT),
  position: z.object({
    /** Offset of the source that comes next. */
    next: count,
    /** Offset to read from again, so that the open windows can be rebuilt. */
    rewind: count,
    /** Decisions logged before this offset of `stream-checkpoints` are in the state. */
    decisions_until: count,
  }),
  /** The grid and rules that the state was made with; under others it means nothing. */
  settings: z.string(),
  counts: z.object({
    read: count,
    windowed: count,
    late: count,
    duplicate: count,
    future: count,
    malformed: count,
    no_forecast: count,
  }),
  /** null = none yet. */
  latest_event: microsSchema.nullable(),
  closed_until: microsSchema.nullable(),
  opened: z.boolean(),
  versions: z.array(
    z.object({
      version: versionIdSchema,
      residual_stddev: z.number().nullable(),
      /** null = from the first window on, or until further notice. */
      from: microsSchema.nullable(),
      until: microsSchema.nullable(),
      errors: z.object({
        weight: z.number(),
        absoluteSum: z.number(),
        squareSum: z.number(),
        histogram: z.array(z.number()),
        changeSum: z.array(z.number()),
        changeWeight: z.array(z.number()),
        recalibration: z.object({
          count: z.array(z.number()),
          rawSum: z.array(z.number()),
          correct: z.array(z.number()),
        }),
      }),
    }),
  ),
  /** Devices with a history, in order; `numbersOfDevice` numbers each follow in the body. */
  devices: z.array(z.string()),
  /** Forecasts that wait; indexes into `devices`. Their tables follow in the body. */
  outstanding: z
    .object({ window: microsSchema, devices: z.array(count), versions: z.array(versionIdSchema) })
    .nullable(),
});
type Header = z.infer<typeof headerSchema>;
export type CheckpointPosition = Header['position'];

/** Tables of one version's forecasts, in the order in which they stand in the body. */
const OUTLOOK_TABLES = ['prediction', 'raw', 'confidence', 'factor', 'margin'] as const;

/**
 * The state of a partition but for its open windows, whose events are read again: `uint32 LE length | JSON | Float64 LE`.
 * Numbers are kept whole, so that a recovered engine writes the same rows to the last digit.
 */
export function encodeState(engine: PartitionEngine, position: CheckpointPosition): Buffer {
  const devices = engine.devices.inOrder().filter((device) => engine.history.has(device));
  const place = new Map(devices.map((device, i) => [device, i]));
  const { outstanding } = engine.evaluator;
  const header: Header = {
    layout: LAYOUT,
    position,
    settings: settingsOf(engine),
    counts: engine.counts,
    latest_event: finiteOrNull(engine.latestEvent),
    closed_until: finiteOrNull(engine.closedUntil),
    opened: engine.opened,
    versions: engine.versions.map(({ version, residualStddev, from, until, errors }) => ({
      version,
      residual_stddev: residualStddev,
      from: finiteOrNull(from),
      until: finiteOrNull(until),
      errors: { ...errors.save() },
    })),
    devices: devices.map((device) => engine.devices.idOf(device)),
    outstanding:
      outstanding === undefined
        ? null
        : {
            window: outstanding.window,
            devices: outstanding.devices.map((device) => place.get(device) ?? 0),
            versions: outstanding.versions.map(({ version }) => version),
          },
  };
  const tables =
    outstanding === undefined
      ? []
      : [
          outstanding.previous,
          outstanding.deviceFactor,
          ...outstanding.versions.flatMap((outlook) => OUTLOOK_TABLES.map((name) => outlook[name])),
        ];
  const text = Buffer.from(JSON.stringify(header), 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return Buffer.concat([length, text, ...[engine.history.save(devices), ...tables].map(bytesOf)]);
}

function bytesOf(table: Float64Array): Buffer {
  return Buffer.from(table.buffer, table.byteOffset, table.byteLength);
}

/**
 * Fill a fresh engine from `encodeState`'s bytes.
 * @throws FedloopError `InvalidData` when they are not such bytes, or were made under other settings.
 */
export function restoreState(engine: PartitionEngine, bytes: Buffer): CheckpointPosition {
  const headerLength = bytes.length >= 4 ? bytes.readUInt32LE(0) : 0;
  const header = parseOrThrow(
    headerSchema,
    parseJson(bytes.subarray(4, 4 + headerLength)),
    'a checkpoint',
    'InvalidData',
  );
  if (header.settings !== settingsOf(engine) && header.settings !== formerSettingsOf(engine)) {
    throw new FedloopError('InvalidData', 'a checkpoint was made under other settings of the stream');
  }
  const body = bodyOf(bytes.subarray(4 + headerLength), header, engine.history.numbersOfDevice);
  let at = 0;
  const take = (length: number): Float64Array => body.slice(at, (at += length));

  engine.resume({
    counts: header.counts,
    latestEvent: header.latest_event ?? -Infinity,
    closedUntil: header.closed_until ?? -Infinity,
    opened: header.opened,
  });
  for (const { version, residual_stddev, from, until, errors } of header.versions) {
    engine.activate(version, residual_stddev, from);
    const active = engine.versions.at(-1);
    active?.errors.restore(errors);
    if (active !== undefined && until !== null) active.until = until;
  }
  const devices = header.devices.map((id) => engine.restoreDevice(id, take(engine.history.numbersOfDevice)));
  if (header.outstanding !== null)
    engine.evaluator.outstanding = outstandingOf(header.outstanding, devices, take);
  return header.position;
}

/** @throws FedloopError `InvalidData` when the tables are not as long as the header says. */
function bodyOf(bytes: Buffer, { devices, outstanding }: Header, numbersOfDevice: number): Float64Array {
  const forecasts =
    outstanding === null
      ? 0
      : outstanding.devices.length * (2 + OUTLOOK_TABLES.length * outstanding.versions.length);
  const numbers = devices.length * numbersOfDevice + forecasts;
  if (bytes.length !== numbers * Float64Array.BYTES_PER_ELEMENT) {
    throw new FedloopError(
      'InvalidData',
      `the tables of a checkpoint have ${bytes.length} bytes instead of ${numbers * 8}`,
    );
  }
  // A copy, because a Float64Array must begin at a multiple of eight.
  return new Float64Array(new Uint8Array(bytes).buffer);
}

function outstandingOf(
  saved: NonNullable<Header['outstanding']>,
  devices: readonly number[],
  take: (length: number) => Float64Array,
): OutstandingForecasts {
  const count = saved.devices.length;
  return {
    window: saved.window,
    devices: saved.devices.map((place) => devices[place] ?? -1),
    previous: take(count),
    deviceFactor: take(count),
    versions: saved.versions.map((version) => {
      const prediction = take(count);
      const raw = take(count);
      const confidence = take(count);
      const factor = take(count);
      return { version, prediction, raw, confidence, factor, margin: take(count) };
    }),
  };
}

/** Everything that a state depends on, as text. */
function settingsOf({ settings }: PartitionEngine): string {
  const { task, watermarkMicros, futureMicros } = settings;
  return JSON.stringify([task, watermarkMicros, futureMicros]);
}

/** The same as checkpoints have it from when there was one task; null for any other. */
function formerSettingsOf({ settings }: PartitionEngine): string | null {
  const { task, watermarkMicros, futureMicros } = settings;
  const { windowMicros, target } = task;
  const former = {
    ...DEFAULT_TASK,
    windowMicros,
    target: { ...DEFAULT_TASK.target, tolerance: target.tolerance },
  };
  return JSON.stringify(former) === JSON.stringify(task)
    ? JSON.stringify([windowMicros, watermarkMicros, futureMicros, target.tolerance])
    : null;
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
