import { DEFAULT_STREAM_SETTINGS, EVERY_TIME, type StreamSettings } from '../../../core/contracts/settings';
import { closeDueWindows, closeIdleWindows, flushWindows } from '../../../core/stream/closing';
import { PartitionEngine } from '../../../core/stream/engine';
import { type Forecaster } from '../../../core/stream/forecasts/forecaster';
import { type SettledEvent } from '../../../core/stream/windows/events-ahead';
import { type ClosedWindow } from '../../../core/stream/windows/rows';
import { taskWith } from '../../support/task';

export const SECOND = 1_000_000;
export const WINDOW = 30 * SECOND;

export const SETTINGS: StreamSettings = {
  ...DEFAULT_STREAM_SETTINGS,
  task: taskWith({ windowMicros: WINDOW, tolerance: 1 }),
  watermarkMicros: 60 * SECOND,
  futureMicros: 30 * SECOND,
  idleMillis: 30_000,
  // Times count from 0, because seconds since then are easier to read.
  plausible: EVERY_TIME,
};

export interface TestEvent {
  readonly device_id?: unknown;
  readonly timestamp?: unknown;
  readonly temperature?: unknown;
  readonly [field: string]: unknown;
}

export function bytesOf(event: TestEvent | string): Buffer {
  return Buffer.from(typeof event === 'string' ? event : JSON.stringify(event));
}

/** An event of `device` at so many seconds of event time. */
export function reading(device: string, seconds: number, temperature = 20, more: object = {}): TestEvent {
  return { device_id: device, timestamp: Math.round(seconds * 1e6) / 1e3, temperature, ...more };
}

/** Forecasts no change, as persistence does. */
export const noChange: Forecaster = ({ versions, rows }) =>
  Promise.resolve(new Float32Array(versions.length * rows));

/** A driver that feeds events one by one and gathers the rows. */
export class Driver {
  readonly closed: ClosedWindow[] = [];
  /** Events that were kept aside, and refused. */
  readonly settled: SettledEvent[] = [];
  readonly engine: PartitionEngine;
  offset = 0;

  constructor(
    settings: StreamSettings = SETTINGS,
    readonly forecaster: Forecaster = noChange,
    engine?: PartitionEngine,
  ) {
    this.engine = engine ?? new PartitionEngine(0, settings);
  }

  async feed(event: TestEvent | string | Buffer | null, recordMicros = NaN): Promise<string> {
    const bytes = event === null || Buffer.isBuffer(event) ? event : bytesOf(event);
    const verdict = this.engine.ingest(bytes, recordMicros, this.offset);
    this.offset += 1;
    if (this.engine.isDue() || this.engine.ahead.hasSettled)
      await this.gather(closeDueWindows(this.engine, this.forecaster));
    return verdict;
  }

  async feedAll(events: readonly (TestEvent | string)[]): Promise<string[]> {
    const verdicts: string[] = [];
    for (const event of events) verdicts.push(await this.feed(event));
    return verdicts;
  }

  idle(believed = -Infinity): Promise<void> {
    return this.gather(closeIdleWindows(this.engine, this.forecaster, believed, this.offset));
  }

  flush(believed = -Infinity): Promise<void> {
    return this.gather(flushWindows(this.engine, this.forecaster, believed));
  }

  /** Window rows as objects. */
  rows(): { device_id: string; start: number; count: number; avg: number; [column: string]: unknown }[] {
    return this.closed.flatMap(({ start, analysis }) =>
      analysis.device_id.map((device_id, i) => ({
        start,
        ...Object.fromEntries(Object.entries(analysis).map(([name, column]) => [name, column[i]])),
        device_id,
        count: analysis.count[i]!,
        avg: analysis.avg[i]!,
      })),
    );
  }

  /** Evaluation rows as objects. */
  evaluations(): { start: number; model_version: string; device_id: string; [column: string]: unknown }[] {
    return this.closed.flatMap(({ start, evaluations }) =>
      evaluations.device_id.map((device_id, i) => ({
        start,
        ...Object.fromEntries(Object.entries(evaluations).map(([name, column]) => [name, column[i]])),
        device_id,
        model_version: evaluations.model_version[i]!,
      })),
    );
  }

  private async gather(closing: AsyncGenerator<ClosedWindow>): Promise<void> {
    for await (const window of closing) this.closed.push(window);
    this.settled.push(...this.engine.ahead.takeSettled());
  }
}
