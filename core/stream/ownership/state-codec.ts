import { FedloopError } from '../../contracts/errors';
import { parseOrThrow } from '../../contracts/validation';
import { type PartitionEngine } from '../engine';
import { type OutstandingForecasts } from '../forecasts/forecasts';
import { type HeldEvent } from '../windows/aside-events';
import {
  adaptedTableCount,
  adaptedTables,
  adapterSums,
  restoreAdapters,
  savedAdapters,
  sharesOf,
  sumsCount,
  withAdapted,
} from './adapter-tables';
import {
  bandLimitsOf,
  pastsCount,
  pastsOf,
  restoreDetector,
  savedAnomalies,
  savedDetector,
} from './anomaly-tables';
import { decodeFrame, encodeFrame } from './checkpoint-chunks';
import { formerSettingsOf, settingsOf } from './settings-text';
import { type CheckpointPosition, type Header, headerSchema, type HeldInState, LAYOUT } from './state-header';

/** Tables of one version's forecasts, in the order of the body. */
const OUTLOOK_TABLES = ['prediction', 'raw', 'confidence', 'factor', 'margin'] as const;

/**
 * The state of a partition without its open windows, whose events are read again: `uint32 LE length | JSON | Float64 LE | Float32 LE`.
 * Numbers keep all their digits, so that a recovered engine writes the same rows to the last digit.
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
    clock: clockOf(engine),
    ahead: aheadOf(engine),
    opening: engine.opening?.save() ?? null,
    opened: engine.opened,
    resets: engine.resets.all
      .filter(({ offset }) => offset > position.rewind)
      .map(({ offset, lateBefore }) => ({ offset, late_before: finiteOrNull(lateBefore) })),
    versions: engine.evaluator.versions.map((active) => ({
      version: active.version,
      residual_stddev: active.residualStddev,
      errors_from: active.errorsFrom,
      from: finiteOrNull(active.from),
      until: finiteOrNull(active.until),
      errors: active.errors.save(),
      adapters: savedAdapters(active),
      anomalies: savedAnomalies(active),
    })),
    detector: savedDetector(engine.evaluator),
    devices: devices.map((device) => engine.devices.idOf(device)),
    outstanding: null,
  };
  const tables: (Float64Array | Float32Array)[] = [engine.history.save(devices)];
  if (outstanding !== undefined) {
    const { window, previous, deviceFactor, versions } = outstanding;
    header.outstanding = {
      window,
      devices: outstanding.devices.map((device) => place.get(device) ?? 0),
      versions: versions.map(({ version }) => version),
      shares: sharesOf(outstanding),
      band_limits: bandLimitsOf(outstanding),
    };
    tables.push(previous, deviceFactor);
    for (const outlook of versions) tables.push(...OUTLOOK_TABLES.map((name) => outlook[name]));
    tables.push(...adaptedTables(outstanding));
  }
  tables.push(...adapterSums(engine.evaluator.versions, devices), ...pastsOf(engine.evaluator, devices));
  const body = tables.map((table) => Buffer.from(table.buffer, table.byteOffset, table.byteLength));
  return encodeFrame(header, ...body);
}

/**
 * Fill a fresh engine from `encodeState`'s bytes.
 * @throws FedloopError `InvalidData` when they are not such bytes, or were made under other settings.
 */
export function restoreState(engine: PartitionEngine, bytes: Buffer): CheckpointPosition {
  const frame = decodeFrame(bytes);
  const header = parseOrThrow(headerSchema, frame.head, 'a checkpoint', 'InvalidData');
  if (header.settings !== settingsOf(engine) && header.settings !== formerSettingsOf(engine)) {
    throw new FedloopError('InvalidData', 'a checkpoint was made under other settings of the stream');
  }
  const { numbersOfDevice } = engine.history;
  const { numbers, sums } = bodyOf(frame.body, header, numbersOfDevice);
  let at = 0;
  const read = (length: number): Float64Array => numbers.slice(at, (at += length));

  Object.assign(engine.counts, header.counts);
  if (header.closed_until !== null) engine.schedule.close(header.closed_until);
  engine.opened = header.opened;
  for (const { offset, late_before } of header.resets)
    engine.resets.add({ offset, lateBefore: late_before ?? -Infinity });
  for (const saved of header.versions) {
    const { version, residual_stddev, errors_from, from, until, errors, adapters, anomalies } = saved;
    engine.activate(version, residual_stddev, from, { errors_from, adapters: adapters?.rule, anomalies });
    const active = engine.evaluator.versions.at(-1);
    active?.errors.restore(errors);
    if (anomalies !== undefined) active?.anomalies?.restore(anomalies);
    if (active !== undefined && until !== null) active.until = until;
  }
  const devices = header.devices.map((id) => engine.restoreDevice(id, read(numbersOfDevice)));
  const adapters = header.versions.map((saved) => saved.adapters);
  const ofAdapters = sumsCount(adapters, devices.length);
  restoreAdapters(engine.evaluator.versions, adapters, devices, sums.subarray(0, ofAdapters));
  restoreDetector(engine.evaluator, header.detector, devices, sums.subarray(ofAdapters));
  restoreAhead(engine, header);
  if (header.outstanding !== null)
    engine.evaluator.outstanding = withAdapted(
      outstandingOf(header.outstanding, devices, read),
      header.outstanding.shares,
      read,
    );
  return header.position;
}

function clockOf({ clock, devices }: PartitionEngine): Header['clock'] {
  const { second, leader, contradicted } = clock.save();
  const idOf = (device: number | null): string | null => (device === null ? null : devices.idOf(device));
  return { second: finiteOrNull(second), leader: idOf(leader), contradicted };
}

function aheadOf({ ahead }: PartitionEngine): Header['ahead'] {
  const { aside, placed, settled } = ahead.save();
  return {
    aside: aside.map((event) => ({ ...savedEvent(event), since: finiteOrNull(event.since) })),
    placed: placed.map(({ event, position }) => ({ ...savedEvent(event), position })),
    settled: [...settled],
  };
}

function savedEvent({ offset, recordMicros, deviceId, micros, bytes }: HeldEvent): HeldInState {
  const record = finiteOrNull(recordMicros);
  return { offset, record, device: deviceId, micros, bytes: Buffer.from(bytes).toString('base64') };
}

function restoredEvent({ offset, record, device, micros, bytes }: HeldInState): HeldEvent {
  const recordMicros = record ?? NaN;
  return { offset, recordMicros, deviceId: device, micros, bytes: Buffer.from(bytes, 'base64') };
}

/** The clock, and the events ahead of it. Devices that are in open windows alone are numbered now; their windows are rebuilt. */
function restoreAhead(engine: PartitionEngine, { latest_event, clock, ahead, opening }: Header): void {
  const numberOf = (id: string | null): number | null => (id === null ? null : engine.devices.numberOf(id));
  engine.clock.restore({
    latest: latest_event ?? -Infinity,
    second: clock.second ?? -Infinity,
    leader: numberOf(clock.leader),
    contradicted: clock.contradicted,
  });
  engine.ahead.restore({
    aside: ahead.aside.map((event) => ({ ...restoredEvent(event), since: event.since ?? -Infinity })),
    placed: ahead.placed.map((event) => ({ event: restoredEvent(event), position: event.position })),
    settled: ahead.settled,
  });
  if (opening === null) engine.opening = undefined;
  else engine.opening?.restore(opening);
}

/** @throws FedloopError `InvalidData` when the tables are not as long as the header says. */
function bodyOf(
  bytes: Buffer,
  { devices, outstanding, versions, detector }: Header,
  numbersOfDevice: number,
): { readonly numbers: Float64Array; readonly sums: Float32Array } {
  const tables =
    outstanding === null
      ? 0
      : 2 + OUTLOOK_TABLES.length * outstanding.versions.length + adaptedTableCount(outstanding.shares);
  const numbers = devices.length * numbersOfDevice + (outstanding?.devices.length ?? 0) * tables;
  const saved = versions.map(({ adapters }) => adapters);
  const sums = sumsCount(saved, devices.length) + pastsCount(detector, devices.length);
  const sumsFrom = numbers * Float64Array.BYTES_PER_ELEMENT;
  const length = sumsFrom + sums * Float32Array.BYTES_PER_ELEMENT;
  if (bytes.length !== length) {
    const message = `the tables of a checkpoint have ${bytes.length} bytes instead of ${length}`;
    throw new FedloopError('InvalidData', message);
  }
  // A copy, because a Float64Array must begin at a multiple of eight.
  const { buffer } = new Uint8Array(bytes);
  return { numbers: new Float64Array(buffer, 0, numbers), sums: new Float32Array(buffer, sumsFrom, sums) };
}

function outstandingOf(
  saved: NonNullable<Header['outstanding']>,
  devices: readonly number[],
  read: (length: number) => Float64Array,
): OutstandingForecasts {
  const count = saved.devices.length;
  return {
    window: saved.window,
    devices: saved.devices.map((place) => devices[place] ?? -1),
    previous: read(count),
    deviceFactor: read(count),
    changes: undefined,
    versions: saved.versions.map((version, place) => {
      // In the order of OUTLOOK_TABLES.
      const prediction = read(count);
      const raw = read(count);
      const confidence = read(count);
      const factor = read(count);
      const margin = read(count);
      const bandLimit = saved.band_limits?.[place] ?? null;
      return { version, prediction, raw, confidence, factor, margin, bandLimit, adapted: undefined };
    }),
  };
}

function finiteOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
