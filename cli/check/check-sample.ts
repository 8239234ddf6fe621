import { type RejectReason } from '../../core/contracts/blocks';
import { type MalformedDetail, reasonOfDetail } from '../../core/contracts/events';
import { FIRST_VERSION } from '../../core/contracts/ids';
import { type StreamSettings } from '../../core/contracts/settings';
import { needsIngest } from '../../core/contracts/source';
import { minLags } from '../../core/contracts/task';
import { MICROS_PER_MILLI, type Micros, windowStartOf } from '../../core/contracts/time';
import { EventWriter } from '../../core/ingest/canonical';
import { type Rhythm, rhythmOf } from '../../core/ingest/inspect/rhythm';
import { compileMapping } from '../../core/ingest/mapping';
import { type MappedMessage, type MappedReading } from '../../core/ingest/readings';
import { closeDueWindows, type Closing, flushWindows } from '../../core/stream/closing';
import { PartitionEngine } from '../../core/stream/engine';
import { type ForecastRequest } from '../../core/stream/forecasts/forecaster';
import { type Sample, type SampledMessage } from '../sample/types';

/** What of a sample would be rejected for one reason. */
export interface Rejected {
  count: number;
  /** The first: number of its message (from 1), and what is wrong there. */
  readonly message: number;
  readonly detail: string;
}

/** What would become of a sample. */
export interface CheckedSample {
  readonly messages: number;
  /** Different readings that messages have: of a device, at an instant and, where duplicates are told by reading, of a value. */
  readonly readings: number;
  /** Those that are in windows. */
  readonly accepted: number;
  readonly rejected: ReadonlyMap<string, Rejected>;
  readonly devices: number;
  /** Windows of single devices with readings in them. */
  readonly deviceWindows: number;
  /** Start of the first window that can be forecast for some device; null where nothing is accepted. */
  readonly firstForecast: Micros | null;
  /** The sample is too short to see it: it is where it would be if devices go on sending. */
  readonly isExpected: boolean;
  readonly rhythm: Rhythm;
}

/**
 * Let a sample go the way of a fleet's messages, in memory: through the mapping of its source where it has one, and through the engine
 * of the stream workers. All windows are closed at its end.
 */
export async function checkSample(
  { messages, keepsOrder }: Pick<Sample, 'messages' | 'keepsOrder'>,
  settings: StreamSettings,
): Promise<CheckedSample> {
  const mapping = compileMapping(settings.source, settings.task);
  const mapped = messages.map(({ bytes }) => mapping.ofBytes(bytes));
  const readings = mapped.flatMap((message) => message.readings);
  const rhythm = rhythmOf(readings, keepsOrder);
  const trial = new Trial(settings);
  const events = eventsOf(messages, mapped, settings, trial);
  // Exports have one device after the other; live they send side by side.
  if (!rhythm.hasOrder) events.sort((a, b) => a.micros - b.micros);
  for (const event of events) await trial.ingest(event);
  await trial.end();
  return {
    messages: messages.length,
    readings: countDistinct(readings, settings),
    ...trial.result(),
    rhythm,
  };
}

/** An event as a stream worker would read it. */
interface SampledEvent {
  readonly bytes: Uint8Array;
  readonly partition: number;
  readonly recordMicros: number;
  /** −Infinity where it has no time. */
  readonly micros: Micros;
  readonly message: number;
}

/** The messages themselves where they are events, else those that an ingest worker would make of them. */
function eventsOf(
  messages: readonly SampledMessage[],
  mapped: readonly MappedMessage[],
  { source, task }: StreamSettings,
  trial: Trial,
): SampledEvent[] {
  const writer = new EventWriter(task);
  const isMapped = needsIngest(source);
  return messages.flatMap(({ bytes, partition, recordMillis }, index): readonly SampledEvent[] => {
    const { readings = [], rejects = [] } = mapped[index] ?? {};
    const common = {
      // Devices of a topic that is re-keyed keep to one partition: one stands for all.
      partition: isMapped ? 0 : (partition ?? 0),
      recordMicros: recordMillis === undefined ? NaN : recordMillis * MICROS_PER_MILLI,
      message: index + 1,
    };
    if (!isMapped) return [{ ...common, bytes, micros: readings[0]?.micros ?? -Infinity }];
    for (const { reason, path, detail } of rejects)
      trial.reject(reasonOfDetail(reason), common.message, `${path}: ${detail}`);
    return readings.map((reading) => ({
      ...common,
      bytes: Buffer.from(writer.write(reading)),
      micros: reading.micros,
    }));
  });
}

/** The engines of a sample's partitions, and what they make of it. */
class Trial {
  private readonly engines = new Map<number, PartitionEngine>();
  private readonly rejected = new Map<string, Rejected>();
  private readonly devices = new Set<string>();
  private deviceWindows = 0;
  private firstWindow: Micros = Infinity;
  private firstForecast: Micros = Infinity;

  constructor(private readonly settings: StreamSettings) {}

  async ingest({ bytes, partition, recordMicros, message }: SampledEvent): Promise<void> {
    const engine = this.engineOf(partition);
    const verdict = engine.ingest(bytes, recordMicros, message);
    if (verdict !== 'windowed' && verdict !== 'aside')
      this.refuse(verdict, verdict === 'malformed' ? engine.detail : undefined, bytes, message);
    if (engine.isDue()) await this.close(closeDueWindows(engine, this.forecast));
    this.refuseSettled(engine);
  }

  reject(reason: string, message: number, detail: string): void {
    const before = this.rejected.get(reason);
    if (before === undefined) this.rejected.set(reason, { count: 1, message, detail });
    else before.count += 1;
  }

  /** Close all windows. */
  async end(): Promise<void> {
    for (const engine of this.engines.values()) {
      await this.close(flushWindows(engine, this.forecast, Date.now() * MICROS_PER_MILLI));
      this.refuseSettled(engine);
    }
  }

  /** Events that waited for other devices, and are in no window. */
  private refuseSettled({ ahead }: PartitionEngine): void {
    for (const { event, verdict, detail } of ahead.takeSettled())
      this.refuse(verdict, detail, event.bytes, event.offset);
  }

  private refuse(
    verdict: RejectReason,
    detail: MalformedDetail | undefined,
    bytes: Uint8Array,
    message: number,
  ): void {
    const reason = detail === undefined ? verdict : reasonOfDetail(detail);
    // What follows the reason is a hint, such as another unit of time.
    const hint = detail === undefined || detail === reason ? '' : `${detail.slice(reason.length + 2)} `;
    this.reject(reason, message, hint + excerptOf(bytes));
  }

  result(): Omit<CheckedSample, 'messages' | 'readings' | 'rhythm'> {
    const { task } = this.settings;
    const isExpected = this.firstForecast === Infinity;
    const expected = this.firstWindow + minLags(task) * task.windowMicros;
    const first = isExpected ? expected : this.firstForecast;
    return {
      accepted: [...this.engines.values()].reduce((sum, { counts }) => sum + counts.windowed, 0),
      rejected: this.rejected,
      devices: this.devices.size,
      deviceWindows: this.deviceWindows,
      firstForecast: Number.isFinite(first) ? windowStartOf(first, task.windowMicros) : null,
      isExpected,
    };
  }

  /** Says only that there are forecasts, and of which window. */
  private readonly forecast = ({ window, rows, versions }: ForecastRequest): Promise<Float32Array> => {
    this.firstForecast = Math.min(this.firstForecast, window);
    return Promise.resolve(new Float32Array(rows * versions.length));
  };

  private engineOf(partition: number): PartitionEngine {
    const known = this.engines.get(partition);
    if (known !== undefined) return known;
    const engine = new PartitionEngine(partition, this.settings);
    engine.activate(FIRST_VERSION, null, null);
    this.engines.set(partition, engine);
    return engine;
  }

  private async close(closing: Closing): Promise<void> {
    for await (const { start, analysis } of closing) {
      for (const [row, device] of analysis.device_id.entries()) {
        if ((analysis.count[row] ?? 0) === 0) continue;
        this.devices.add(device);
        this.deviceWindows += 1;
        this.firstWindow = Math.min(this.firstWindow, start);
      }
    }
  }
}

function countDistinct(readings: readonly MappedReading[], { duplicates }: StreamSettings): number {
  const keys = readings.map(({ deviceId, micros, values }) => {
    return duplicates === 'time' ? `${micros} ${deviceId}` : `${micros} ${String(values[0])} ${deviceId}`;
  });
  return new Set(keys).size;
}

const EXCERPT_BYTES = 120;

function excerptOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.subarray(0, EXCERPT_BYTES)).toString('utf8');
  return bytes.length > EXCERPT_BYTES ? `${text}…` : text;
}
