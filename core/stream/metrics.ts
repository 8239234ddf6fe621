import { VERDICTS } from '../contracts/blocks';
import { ROW_LIMITS } from '../contracts/limits';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../contracts/time';
import { Counter, Gauge, Histogram, type Registry } from '../platform/metrics';
import { type SinkWatch } from './backpressure/sink-watch';
import { type Outbox } from './ownership/outbox';
import { type PartitionOwner } from './ownership/partition-owner';

/** What can make partitions wait. */
interface Backpressure {
  readonly outbox: Pick<Outbox, 'isFull' | 'pendingBytes'>;
  readonly sinks: Pick<SinkWatch, 'isPaused' | 'lagOf'>;
}

/** Value of a metric, or its values by a label. */
type Read<Value> = (owner: PartitionOwner, backpressure: Backpressure) => Value;

/** A metric by source partition, without its name: its own label is '' where it has none beside the partition's. */
interface PartitionMetric {
  readonly kind: 'counter' | 'gauge';
  readonly help: string;
  readonly label: string;
  readonly read: Read<Readonly<Record<string, number>>>;
}

function counter(help: string, read: Read<number>): PartitionMetric {
  return { kind: 'counter', help, label: '', read: (...from) => ({ '': read(...from) }) };
}

function gauge(help: string, read: Read<number>): PartitionMetric {
  return { ...counter(help, read), kind: 'gauge' };
}

/**
 * What Prometheus reads of the partitions. Counts of events are the engines' own: they are part of each checkpoint, so that
 * `read = windowed + late + duplicate + future + malformed + aside` holds across crashes too.
 */
const PARTITION_METRICS: Readonly<Record<string, PartitionMetric>> = {
  fedloop_stream_events_read_total: counter(
    'Events read, by source partition.',
    ({ engine }) => engine.counts.read,
  ),
  fedloop_stream_events_total: {
    kind: 'counter',
    help: 'Events by source partition and verdict; the verdicts of a partition and its events aside (fedloop_stream_state) add up to its events read.',
    label: 'verdict',
    read: ({ engine: { counts } }) =>
      Object.fromEntries(VERDICTS.map((verdict) => [verdict, counts[verdict]])),
  },
  fedloop_stream_no_forecast_total: counter(
    'Devices in closed windows that no version could forecast: too few lags, or none.',
    ({ engine }) => engine.counts.no_forecast,
  ),
  fedloop_stream_values_left_out_total: {
    kind: 'counter',
    help: 'Values of covariates that windowed events lacked: bad = no number, out of range or a code for no reading; absent = not sent.',
    label: 'why',
    read: ({ engine: { counts } }) => ({ bad: counts.bad_values, absent: counts.absent_values }),
  },
  fedloop_stream_lag_records: gauge(
    'Records of the source partition that were not read yet.',
    ({ lag }) => lag,
  ),
  fedloop_stream_watermark_delay_seconds: gauge(
    'Event time between the latest record and the watermark.',
    ({ latestRecordMillis, engine }) =>
      (latestRecordMillis * MICROS_PER_MILLI - engine.watermark) / MICROS_PER_SECOND,
  ),
  fedloop_stream_open_windows: gauge('Windows that still take readings.', ({ engine }) => engine.open.size),
  fedloop_stream_epoch: gauge('Epoch under which the partition is owned.', ({ epoch }) => epoch),
  fedloop_stream_state: {
    kind: 'gauge',
    help: 'Size of the state by source partition: readings in open windows, devices known, devices with lags, events far ahead that no other device has confirmed.',
    label: 'what',
    read: ({ engine: { open, devices, history, ahead } }) => ({
      readings: open.readings,
      devices: devices.size,
      devices_with_history: history.size,
      aside: ahead.waiting,
    }),
  },
  fedloop_stream_version_in_force: {
    kind: 'gauge',
    help: '1 for each version that a source partition scores.',
    label: 'version',
    read: ({ engine }) => Object.fromEntries(engine.inForce.map((version) => [version, 1])),
  },
  fedloop_stream_paused: {
    kind: 'gauge',
    help: '1 while a source partition is not read because the sink (a living warehouse) or the producer is behind, or because its source is another log than was read.',
    label: 'reason',
    read: ({ partition, isSourceReplaced }, { sinks, outbox }) => ({
      sink: sinks.isPaused(partition) ? 1 : 0,
      source: isSourceReplaced ? 1 : 0,
      producer: outbox.isFull ? 1 : 0,
    }),
  },
  fedloop_stream_sink_lag_blocks: gauge(
    'Blocks of results that the furthest-behind living warehouse has yet to store.',
    ({ partition }, { sinks }) => sinks.lagOf(partition),
  ),
};

export function streamMetrics(
  registry: Registry,
  owners: () => readonly PartitionOwner[],
  backpressure: Backpressure,
): StreamMetrics {
  const registers = [registry];
  for (const [name, { kind, help, label, read }] of Object.entries(PARTITION_METRICS)) {
    const labelNames = label === '' ? ['partition'] : ['partition', label];
    const Metric = kind === 'counter' ? Counter : Gauge;
    new Metric({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const owner of owners()) {
          const partition = String(owner.partition);
          for (const [own, value] of Object.entries(read(owner, backpressure)))
            if (Number.isFinite(value))
              this.inc(label === '' ? { partition } : { partition, [label]: own }, value);
        }
      },
    });
  }
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
      this.set(backpressure.outbox.pendingBytes);
    },
  });
  return eventMetrics(registers);
}

/** What the worker counts as it happens, since the start of its process. */
export type StreamMetrics = ReturnType<typeof eventMetrics>;

function eventMetrics(registers: Registry[]) {
  return {
    malformed: new Counter({
      name: 'fedloop_stream_malformed_total',
      help: 'Malformed events since the start of the process, by what was wrong; over-limit = a bound on the state was reached.',
      labelNames: ['detail'],
      registers,
    }),
    lost: new Counter({
      name: 'fedloop_stream_records_lost_total',
      help: 'Records that the source topic let go before they were read, or before their windows had closed, since the start of the process.',
      labelNames: ['partition'],
      registers,
    }),
    rows: new Counter({
      name: 'fedloop_stream_rows_total',
      help: 'Rows written since the start of the process, rows written again after a recovery included.',
      labelNames: ['kind'],
      registers,
    }),
    /** From a window's close to the acknowledgement of its blocks. */
    acknowledged: new Histogram({
      name: 'fedloop_stream_close_to_acknowledged_seconds',
      help: 'Time from a window closing to the broker having its blocks.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers,
    }),
    checkpoints: new Counter({
      name: 'fedloop_stream_checkpoints_total',
      help: 'Checkpoints written.',
      registers,
    }),
    checkpointsPassedOver: new Counter({
      name: 'fedloop_stream_checkpoints_passed_over_total',
      help: 'Checkpoints that were damaged or unusable when a partition was taken over; an earlier one, or the events, served instead.',
      registers,
    }),
    claims: new Counter({
      name: 'fedloop_stream_claims_total',
      help: 'Partitions claimed by this process.',
      registers,
    }),
  };
}
