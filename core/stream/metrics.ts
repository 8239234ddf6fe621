import { VERDICTS } from '../contracts/blocks';
import { MICROS_PER_MILLI } from '../contracts/time';
import { Counter, Gauge, Histogram, type Registry } from '../platform/metrics';
import { type MalformedDetail } from './parse/event';
import { MAX_DEVICES_PER_WINDOW, MAX_DEVICES_WITH_HISTORY, MAX_READINGS_PER_WINDOW } from './limits';
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

/**
 * What the stream worker tells Prometheus. Counts of events are the engines' own, read when scraped: they are part of each
 * checkpoint, so that `read = windowed + late + duplicate + future + malformed` holds across crashes too.
 */
export function streamMetrics(
  registry: Registry,
  owners: () => readonly PartitionOwner[],
  backpressure: Backpressure,
): StreamMetrics {
  const registers = [registry];
  const partition = (owner: PartitionOwner): { partition: string } => ({
    partition: String(owner.partition),
  });

  new Counter({
    name: 'fedloop_stream_events_read_total',
    help: 'Events read, by source partition.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) this.inc(partition(owner), owner.engine.counts.read);
    },
  });
  new Counter({
    name: 'fedloop_stream_events_total',
    help: 'Events by source partition and verdict; the verdicts of a partition add up to its events read.',
    labelNames: ['partition', 'verdict'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) {
        for (const verdict of VERDICTS)
          this.inc({ ...partition(owner), verdict }, owner.engine.counts[verdict]);
      }
    },
  });
  new Counter({
    name: 'fedloop_stream_no_forecast_total',
    help: 'Devices in closed windows that no version could forecast: too few lags, or none.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) this.inc(partition(owner), owner.engine.counts.no_forecast);
    },
  });
  perPartition('fedloop_stream_lag_records', 'Records of the source partition not taken in yet.', (owner) =>
    Math.max(0, owner.highWatermark - owner.next),
  );
  perPartition(
    'fedloop_stream_watermark_delay_seconds',
    'Event time between the latest record and the watermark.',
    ({ latestRecordMillis, engine }) => (latestRecordMillis * MICROS_PER_MILLI - engine.watermark) / 1e6,
  );
  perPartition(
    'fedloop_stream_open_windows',
    'Windows that still take readings.',
    ({ engine }) => engine.open.size,
  );
  perPartition('fedloop_stream_epoch', 'Epoch under which the partition is held.', ({ epoch }) => epoch);
  new Gauge({
    name: 'fedloop_stream_state',
    help: 'Size of the state by source partition: readings in open windows, devices known, devices with lags.',
    labelNames: ['partition', 'what'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) {
        const { open, devices, history } = owner.engine;
        this.set({ ...partition(owner), what: 'readings' }, open.readings);
        this.set({ ...partition(owner), what: 'devices' }, devices.size);
        this.set({ ...partition(owner), what: 'devices_with_history' }, history.size);
      }
    },
  });
  const limits = new Gauge({
    name: 'fedloop_stream_state_limit',
    help: 'Bounds on the state: readings and devices of one window of one partition, devices of a partition with lags.',
    labelNames: ['what'],
    registers,
  });
  limits.set({ what: 'readings_per_window' }, MAX_READINGS_PER_WINDOW);
  limits.set({ what: 'devices_per_window' }, MAX_DEVICES_PER_WINDOW);
  limits.set({ what: 'devices_with_history' }, MAX_DEVICES_WITH_HISTORY);
  new Gauge({
    name: 'fedloop_stream_version_in_force',
    help: '1 for each version that a source partition scores.',
    labelNames: ['partition', 'version'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) {
        for (const { version, until } of owner.engine.versions) {
          if (until === Infinity) this.set({ ...partition(owner), version }, 1);
        }
      }
    },
  });
  new Gauge({
    name: 'fedloop_stream_outbox_bytes',
    help: 'Results and rejects handed to the producer and not acknowledged yet.',
    registers,
    collect() {
      this.set(backpressure.outboxBytes());
    },
  });
  new Gauge({
    name: 'fedloop_stream_paused',
    help: '1 while a source partition is not read because the sink (a living warehouse) or the producer is behind.',
    labelNames: ['partition', 'reason'],
    registers,
    collect() {
      this.reset();
      for (const owner of owners()) {
        for (const [reason, isPaused] of Object.entries(backpressure.isPaused))
          this.set({ ...partition(owner), reason }, isPaused(owner.partition) ? 1 : 0);
      }
    },
  });
  perPartition(
    'fedloop_stream_sink_lag_blocks',
    'Blocks of results that the furthest-behind living warehouse has yet to store.',
    (owner) => backpressure.sinkLag(owner.partition),
  );
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

  function perPartition(name: string, help: string, valueOf: (owner: PartitionOwner) => number): void {
    new Gauge({
      name,
      help,
      labelNames: ['partition'],
      registers,
      collect() {
        this.reset();
        for (const owner of owners()) {
          const value = valueOf(owner);
          if (Number.isFinite(value)) this.set(partition(owner), value);
        }
      },
    });
  }
}
