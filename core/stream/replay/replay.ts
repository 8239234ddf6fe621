import { anomalyRule } from '../../contracts/anomalies';
import { type RejectReason } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { type VersionId } from '../../contracts/ids';
import { type StreamSettings } from '../../contracts/settings';
import { type Micros } from '../../contracts/time';
import { partitionOf } from '../../platform/kafka';
import { closeDueWindows, flushWindows } from '../closing';
import { COUNTS, type Counts, zeroCounts } from '../windows/counts';
import { PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { emptyEvent } from '../parse/event';
import { EventParser } from '../parse/parse';
import { DeviceTable } from '../windows/device-table';
import { type ClosedWindow } from '../windows/rows';

export interface ReplayOptions {
  readonly settings: StreamSettings;
  /** With more than one, devices are spread as Kafka's own partitioner spreads keys. */
  readonly partitions: number;
  /** Versions in force from the first window on. */
  readonly versions: readonly VersionId[];
  readonly residualStddev: number | null;
  readonly forecaster: Forecaster;
  /** Close what is open at the end of input. */
  readonly flush: boolean;
  /** With `flush`: events that wait for other devices to confirm their time count when it is not after this. Left out: none does. */
  readonly believedUntil?: Micros;
}

/** Receives the output in the order in which the stream worker would have written it. */
export interface ReplayOutput {
  window(window: ClosedWindow): Promise<void>;
  /** `line` counts from 1. A promise is waited for. */
  reject(reason: RejectReason, line: number, detail: MalformedDetail | undefined): Promise<void> | undefined;
}

/** `aside`: events that wait for other devices to confirm their time. */
export type ReplaySummary = Counts & { readonly aside: number; readonly open_windows: number };

/**
 * Drive the pure core with events, one a line: no clock, no broker. An event's own `record_timestamp` stands for Kafka's;
 * without one it is never `future`.
 */
export async function replayLines(
  lines: AsyncIterable<readonly Uint8Array[]>,
  options: ReplayOptions,
  output: ReplayOutput,
): Promise<ReplaySummary> {
  const engines = Array.from({ length: options.partitions }, (_, partition) => {
    const engine = new PartitionEngine(partition, options.settings);
    const anomalies = anomalyRule(options.settings.anomaly.falseAlarms);
    for (const version of options.versions)
      engine.activate(version, options.residualStddev, null, { anomalies });
    return engine;
  });
  const route = options.partitions === 1 ? () => 0 : routeByDevice(options.settings, options.partitions);
  let line = 0;
  for await (const some of lines) {
    for (const bytes of some) {
      line += 1;
      const engine = engines[route(bytes)];
      if (engine === undefined) continue;
      const verdict = engine.ingest(bytes, NaN, line - 1);
      if (verdict !== 'windowed' && verdict !== 'aside') {
        const pending = output.reject(verdict, line, engine.detail);
        if (pending !== undefined) await pending;
      } else if (engine.isDue()) {
        for await (const window of closeDueWindows(engine, options.forecaster)) await output.window(window);
      }
      if (engine.ahead.hasSettled) await reportSettled(engine, output);
    }
  }
  for (const engine of options.flush ? engines : []) {
    const closing = flushWindows(engine, options.forecaster, options.believedUntil);
    for await (const window of closing) await output.window(window);
    await reportSettled(engine, output);
  }
  return summaryOf(engines);
}

/** Events that waited for other devices, and were refused. */
async function reportSettled({ ahead }: PartitionEngine, output: ReplayOutput): Promise<void> {
  for (const { event, verdict, detail } of ahead.takeSettled())
    await output.reject(verdict, event.offset + 1, detail);
}

/** Partition of each event by its device; what is not an event goes to the first. */
function routeByDevice(
  { task, plausible }: StreamSettings,
  partitions: number,
): (bytes: Uint8Array) => number {
  const parser = new EventParser(task, plausible);
  const event = emptyEvent(1 + task.covariates.length);
  const devices = new DeviceTable();
  const partitionOfDevice: number[] = [];
  return (bytes) => {
    if (parser.parse(bytes, event) !== undefined) return 0;
    const { idBytes, idStart, idEnd, idHash } = event;
    let device = devices.find(idBytes, idStart, idEnd, idHash);
    if (device < 0) {
      device = devices.add(idBytes, idStart, idEnd, idHash);
      partitionOfDevice[device] = partitionOf(devices.idOf(device), partitions);
    }
    return partitionOfDevice[device] ?? 0;
  };
}

function summaryOf(engines: readonly PartitionEngine[]): ReplaySummary {
  const total = zeroCounts();
  for (const { counts } of engines) for (const name of COUNTS) total[name] += counts[name];
  const sum = (of: (engine: PartitionEngine) => number): number =>
    engines.reduce((all, engine) => all + of(engine), 0);
  return { ...total, aside: sum(({ ahead }) => ahead.waiting), open_windows: sum(({ open }) => open.size) };
}
