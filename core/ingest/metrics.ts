import { Counter, Gauge, type Registry } from '../platform/metrics';

/** What gauges ask for at each scrape. */
export interface IngestState {
  /** Records of each source partition that were not read yet. */
  lags(): ReadonlyMap<number, number>;
  pendingEvents(): number;
  isConnected(): boolean;
}

export interface IngestMetrics {
  readonly messages: Counter<'outcome'>;
  readonly lost: Counter<'partition'>;
  readonly readings: Counter;
  readonly rejects: Counter<'reason'>;
  readonly badValues: Counter<'sensor'>;
  readonly restamped: Counter;
}

/**
 * What an ingest worker has done since the start of its process. Counted when Kafka has it, so that messages = mapped + rejected, and
 * every reading is an event of `edge-iiot-stream`.
 */
export function ingestMetrics(registry: Registry, state: IngestState): IngestMetrics {
  const registers = [registry];
  new Gauge({
    name: 'fedloop_ingest_lag_records',
    help: 'Records of the source partition that were not read yet.',
    labelNames: ['partition'],
    registers,
    collect() {
      this.reset();
      for (const [partition, lag] of state.lags()) this.set({ partition: String(partition) }, lag);
    },
  });
  new Gauge({
    name: 'fedloop_ingest_pending_events',
    help: 'Events handed to the producer and not acknowledged yet.',
    registers,
    collect() {
      this.set(state.pendingEvents());
    },
  });
  new Gauge({
    name: 'fedloop_ingest_source_connected',
    help: '1 while nothing keeps the worker from its source, 0 while it waits for it.',
    registers,
    collect() {
      this.set(state.isConnected() ? 1 : 0);
    },
  });
  return {
    messages: new Counter({
      name: 'fedloop_ingest_messages_total',
      help: 'Messages of the source: mapped = at least one reading came of it, rejected = none.',
      labelNames: ['outcome'],
      registers,
    }),
    lost: new Counter({
      name: 'fedloop_ingest_messages_lost_total',
      help: 'Messages that the source topic let go before they were read.',
      labelNames: ['partition'],
      registers,
    }),
    readings: new Counter({
      name: 'fedloop_ingest_readings_total',
      help: 'Readings written to edge-iiot-stream.',
      registers,
    }),
    rejects: new Counter({
      name: 'fedloop_ingest_rejects_total',
      help: 'Messages, and readings in them, that could not be mapped, by reason.',
      labelNames: ['reason'],
      registers,
    }),
    badValues: new Counter({
      name: 'fedloop_ingest_bad_values_total',
      help: 'Values of covariates that were no readings and were left out, by sensor.',
      labelNames: ['sensor'],
      registers,
    }),
    restamped: new Counter({
      name: 'fedloop_ingest_restamped_total',
      help: 'Records whose own timestamp lies so far ahead that a broker would refuse it; written with the time of ingest.',
      registers,
    }),
  };
}
