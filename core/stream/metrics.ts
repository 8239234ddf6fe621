import { VERDICTS } from '../contracts/blocks';
import { type MalformedDetail } from '../contracts/events';
import { ROW_LIMITS } from '../contracts/limits';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../contracts/time';
import { Counter, Gauge, Histogram, type Registry } from '../platform/metrics';
import { type PartitionOwner } from './ownership/partition-owner';

export interface StreamMetrics {
  malformed(detail: MalformedDetail): void;
  rows(kind: 'analysis' | 'evaluation', count: number): void;
  /** Seconds from a window's close to the acknowledgement of its blocks. */
  acknowledged(seconds: number): void;
  checkpoint(): void;
  claim(): void;
}

/** What the worker as a whole knows of its partitions. */
export interface Backpressure {
  /** Bytes handed to the producer and not acknowledged yet. */
  readonly outboxBytes: () => number;
  /** Blocks of results that the furthest-behind living warehouse has yet to store. */
  readonly sinkLag: (partition: number) => number;
  /** Whether a partition waits at this moment, by what for. */
  readonly isPaused: Readonly<Record<'sink' | 'producer', (partition: number) => boolean>>;
}

/** A metric by source partition, read off the engines when it is scraped. */
interface PartitionMetric {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  /** A label beside the partition's, and the values by it; without one the label of the only value is empty. */
  readonly label?: string;
  readonly of: (owner: PartitionOwner) => Readonly<Record<string, number>>;
}

function single(
  kind: PartitionMetric['kind'],
  name: string,
  help: string,
  of: (owner: PartitionOwner) => number,
): PartitionMetric {
  return { kind, name, help, of: (owner) => ({ '': of(owner) }) };
}

/**
 * What the stream worker says of its partitions to Prometheus. Counts of events are the engines' own, read when scraped: they are part of
 * each checkpoint, so that `read = windowed + late + duplicate + future + malformed` holds across crashes too.
 */
function partitionMetrics({ isPaused, sinkLag }: Backpressure): readonly PartitionMetric[] {
  return [
    single(
      'counter',
      'fedloop_stream_events_read_total',
      'Events read, by source partition.',
      ({ engine }) => engine.counts.read,
    ),
    {
      kind: 'counter',
      name: 'fedloop_stream_events_total',
      help: 'Events by source partition and verdict; the verdicts of a partition add up to its events read.',
      label: 'verdict',
      of: ({ engine: { counts } }) =>
        Object.fromEntries(VERDICTS.map((verdict) => [verdict, counts[verdict]])),
    },
    single(
      'counter',
      'fedloop_stream_no_forecast_total',
      'Devices in closed windows that no version could forecast: too few lags, or none.',
      ({ engine }) => engine.counts.no_forecast,
    ),
    single(
      'gauge',
      'fedloop_stream_lag_records',
      'Records of the source partition not taken in yet.',
      ({ highWatermark, next }) => Math.max(0, highWatermark - next),
    ),
    single(
      'gauge',
      'fedloop_stream_watermark_delay_seconds',
      'Event time between the latest record and the watermark.',
      ({ latestRecordMillis, engine }) =>
        (latestRecordMillis * MICROS_PER_MILLI - engine.watermark) / MICROS_PER_SECOND,
    ),
    single(
      'gauge',
      'fedloop_stream_open_windows',
      'Windows that still take readings.',
      ({ engine }) => engine.open.size,
    ),
    single('gauge', 'fedloop_stream_epoch', 'Epoch under which the partition is held.', ({ epoch }) => epoch),
    {
      kind: 'gauge',
      name: 'fedloop_stream_state',
      help: 'Size of the state by source partition: readings in open windows, devices known, devices with lags.',
      label: 'what',
      of: ({ engine: { open, devices, history } }) => ({
        readings: open.readings,
        devices: devices.size,
        devices_with_history: history.size,
      }),
    },
    {
      kind: 'gauge',
      name: 'fedloop_stream_version_in_force',
      help: '1 for each version that a source partition scores.',
      label: 'version',
      of: ({ engine }) =>
        Object.fromEntries(
          engine.versions.filter(({ until }) => until === Infinity).map(({ version }) => [version, 1]),
        ),
    },
    {
      kind: 'gauge',
      name: 'fedloop_stream_paused',
      help: '1 while a source partition is not read because the sink (a living warehouse) or the producer is behind.',
      label: 'reason',
      of: ({ partition }) => ({
        sink: isPaused.sink(partition) ? 1 : 0,
        producer: isPaused.producer(partition) ? 1 : 0,
      }),
    },
    single(
      'gauge',
      'fedloop_stream_sink_lag_blocks',
      'Blocks of results that the furthest-behind living warehouse has yet to store.',
      ({ partition }) => sinkLag(partition),
    ),
  ];
}

export function streamMetrics(
  registry: Registry,
  owners: () => readonly PartitionOwner[],
  backpressure: Backpressure,
): StreamMetrics {
  const registers = [registry];
  for (const metric of partitionMetrics(backpressure)) register(registry, owners, metric);
  const limits = new Gauge({
    name: 'fedloop_stream_state_limit',
    help: 'Bounds on the state: readings and devices of one window of one partition, devices of a partition with lags.',
    labelNames: ['what'],
    registers,
  });
  limits.set({ what: 'readings_per_window' }, ROW_LIMITS.readingsPerWindow);
  limits.set({ what: 'devices_per_window' }, ROW_LIMITS.devicesPerWindow);
  limits.set({ what: 'devices_with_history' }, ROW_LIMITS.devicesWithHistory);
  new Gauge({
    name: 'fedloop_stream_outbox_bytes',
    help: 'Results and rejects handed to the producer and not acknowledged yet.',
    registers,
    collect() {
      this.set(backpressure.outboxBytes());
    },
  });
  return eventMetrics(registers);
}

/** What the worker counts as it happens, since the start of its process. */
function eventMetrics(registers: Registry[]): StreamMetrics {
  const malformed = new Counter({
    name: 'fedloop_stream_malformed_total',
    help: 'Malformed events since the start of the process, by what was wrong; over-limit = a bound on the state was reached.',
    labelNames: ['detail'],
    registers,
  });
  const rows = new Counter({
    name: 'fedloop_stream_rows_total',
    help: 'Rows written since the start of the process, rows written again after a recovery included.',
    labelNames: ['kind'],
    registers,
  });
  const acknowledged = new Histogram({
    name: 'fedloop_stream_close_to_acknowledged_seconds',
    help: 'Time from a window closing to the broker having its blocks.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
    registers,
  });
  const checkpoints = new Counter({
    name: 'fedloop_stream_checkpoints_total',
    help: 'Checkpoints written.',
    registers,
  });
  const claims = new Counter({
    name: 'fedloop_stream_claims_total',
    help: 'Partitions claimed by this process.',
    registers,
  });
  return {
    malformed(detail) {
      malformed.inc({ detail });
    },
    rows(kind, count) {
      rows.inc({ kind }, count);
    },
    acknowledged(seconds) {
      acknowledged.observe(seconds);
    },
    checkpoint() {
      checkpoints.inc();
    },
    claim() {
      claims.inc();
    },
  };
}

function register(
  registry: Registry,
  owners: () => readonly PartitionOwner[],
  { kind, name, help, label, of }: PartitionMetric,
): void {
  const labelNames = label === undefined ? ['partition'] : ['partition', label];
  const Metric = kind === 'counter' ? Counter : Gauge;
  new Metric({
    name,
    help,
    labelNames,
    registers: [registry],
    collect() {
      this.reset();
      for (const owner of owners()) {
        const partition = String(owner.partition);
        for (const [own, value] of Object.entries(of(owner)))
          if (Number.isFinite(value))
            this.inc(label === undefined ? { partition } : { partition, [label]: own }, value);
      }
    },
  });
}
