import { Counter, Histogram, type Registry } from '../../platform/metrics';
import { type SerialConnection } from '../database/connection';
import { type SinkReport } from '../sink/report';
import { checkFigures } from './checks';
import { contributionFigures } from './contributions';
import { deviceFigures, splitDeviceFigures } from './devices';
import { linearFigures } from './linear';
import { modelFigures } from './models';
import { roundFigures } from './rounds';
import { storeFigures } from './stores';
import { TableFigures } from './table-figures';
import { taskFigures } from './task';

/** Counts one transaction of the sink. */
export interface SinkCounts {
  /** A transaction. */
  readonly stored: (report: SinkReport, seconds: number, nowMillis: number) => void;
}

/**
 * Metrics of the warehouse. The accuracy of models is read from the tables at every scrape, so that a restart changes no curve;
 * the work of the process is counted as it is done.
 */
export function registerWarehouseMetrics(
  registry: Registry,
  connection: SerialConnection,
  path: string,
): SinkCounts {
  const figures = new TableFigures(registry);
  taskFigures(figures, connection);
  modelFigures(figures, connection);
  deviceFigures(figures, connection);
  splitDeviceFigures(figures, connection);
  roundFigures(figures, connection);
  linearFigures(figures, connection);
  contributionFigures(figures, connection);
  checkFigures(figures, connection);
  storeFigures(figures, connection, path);
  return sinkCounts([registry]);
}

function sinkCounts(registers: Registry[]): SinkCounts {
  const rows = new Counter({
    name: 'fedloop_sink_rows_total',
    help: 'Rows stored in DuckDB, by table.',
    labelNames: ['table'],
    registers,
  });
  const blocks = new Counter({
    name: 'fedloop_sink_blocks_total',
    help: 'Blocks of results by outcome; a gap is a block that never came before a stored one.',
    labelNames: ['outcome'],
    registers,
  });
  const invalid = new Counter({
    name: 'fedloop_sink_invalid_messages_total',
    help: 'Messages that were put aside in dead_letters instead of being stored, by reason.',
    labelNames: ['reason'],
    registers,
  });
  const records = new Counter({
    name: 'fedloop_sink_records_total',
    help: 'Messages read, by topic and outcome: every one was used or put aside.',
    labelNames: ['topic', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'fedloop_sink_transaction_seconds',
    help: 'Time of one transaction of the sink.',
    buckets: [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
    registers,
  });
  const size = new Histogram({
    name: 'fedloop_sink_transaction_rows',
    help: 'Rows in one transaction of the sink.',
    buckets: [1, 10, 100, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000],
    registers,
  });
  const latency = new Histogram({
    name: 'fedloop_sink_latency_seconds',
    help: 'Time from a block in Kafka, written when its window closed, to its readable rows.',
    buckets: [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10],
    registers,
  });
  const stored: SinkCounts['stored'] = (report, took, nowMillis) => {
    for (const [table, count] of Object.entries(report.rows)) rows.inc({ table }, count);
    for (const [outcome, count] of Object.entries(report.blocks)) blocks.inc({ outcome }, count);
    for (const [reason, count] of Object.entries(report.aside.counts)) invalid.inc({ reason }, count);
    for (const [topic, { used, aside }] of Object.entries(report.records)) {
      records.inc({ topic, outcome: 'used' }, used);
      records.inc({ topic, outcome: 'aside' }, aside);
    }
    seconds.observe(took);
    size.observe(Object.values(report.rows).reduce((sum, count) => sum + count, 0));
    for (const written of report.blockMillis) latency.observe(Math.max(0, nowMillis - written) / 1_000);
  };
  return { stored };
}
