import Table from 'cli-table3';
import { FedloopError } from '../../core/contracts/errors';
import { isoOfMicros } from '../../core/contracts/time';
import { lostRounds, lostRoundsSentence, type LostRound } from '../../core/warehouse/verify/lost-rounds';
import { type RowDifference } from '../../core/warehouse/verify/row-differences';
import { splitDevicesSentence } from '../../core/warehouse/verify/split-devices';
import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { queryWorker } from '../query/query-worker';
import { withFile } from '../query/query-file';
import { outColours as pc } from '../shared/colours';
import { analyticsAt, analyticsOf, findRunning } from '../system/running';
import { type Session } from '../system/session';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { type Query } from '../../core/warehouse/database/query';
import { verifyRows } from '../query/verification';
import { unlessAborted } from '../shared/wait';
import { existingWarehouse, warehouseAtRest } from '../query/warehouse-at-rest';

/** Lines of devices that are printed. */
const MAX_SPLIT_DEVICES = 20;

export interface VerifyOptions {
  readonly analytics?: string;
  readonly wait: number;
  readonly show: number;
  readonly json?: true;
}

/**
 * Compare every row with the event log and print the differences.
 * @throws FedloopError `RowsDiffer`
 */
export async function verify(session: Session, options: VerifyOptions): Promise<void> {
  const query = await tables(session, options.analytics);
  const report = await unlessAborted(
    verifyRows(session, { query, waitMillis: options.wait, examples: options.show }),
    session.signal,
  );
  const lost = await unlessAborted(lostRounds(query), session.signal);
  session.out(
    options.json === true
      ? `${JSON.stringify({ ...report, lostRounds: lost }, null, 2)}\n`
      : render(report, lost),
  );
  assertEqual(report);
}

/** @throws FedloopError `RowsDiffer` */
function assertEqual({ differences, accounting, splitDevices }: VerificationReport): void {
  const unequal = accounting.filter(({ addsUp }) => !addsUp);
  const split = splitDevicesSentence(splitDevices.map(({ device }) => device));
  if (differences.count === 0 && unequal.length === 0) {
    if (split === undefined) return;
    throw new FedloopError('RowsDiffer', split, {
      hint: 'Each of their rows is made of a part of their readings, and forecasts lack the rest.',
    });
  }
  throw new FedloopError(
    'RowsDiffer',
    differences.count > 0
      ? `${differences.count.toLocaleString('en')} rows are not what the event log leads to`
      : `the events of partition ${unequal.map(({ partition }) => partition).join(', ')} do not add up`,
  );
}

async function tables(session: Session, url: string | undefined): Promise<Query> {
  if (url !== undefined) {
    const { warehouse } = await warehouseAtRest(session);
    return queryWorker(await analyticsAt(url.replace(/\/+$/, ''), warehouse, session.env));
  }
  const analytics = await analyticsOf(await findRunning(session.folder), session.env);
  if (analytics !== undefined) return queryWorker(analytics);
  const file = await existingWarehouse(session);
  // Opened for each query: a system may want it in between.
  return (row, sql) => withFile(file, (query) => query(row, sql));
}

function render(report: VerificationReport, lost: readonly LostRound[]): string {
  const missing = lostRoundsSentence(lost);
  const { compared, differences, onTheirWay, expired } = report;
  const rows = Object.entries(compared).map(([table, count]) => `${count.toLocaleString('en')} of ${table}`);
  const lines = [
    accountingTable(report),
    '',
    `Rows compared: ${rows.join(', ')}.`,
    ...(expired.before === null
      ? []
      : [
          `${expired.rows.toLocaleString('en')} rows of windows before ${isoOfMicros(expired.before)} are past their retention and were not compared.`,
        ]),
    ...(onTheirWay === 0
      ? []
      : [`${onTheirWay.toLocaleString('en')} rows are on their way and were not compared.`]),
    ...splitLines(report),
    ...(missing === undefined ? [] : [pc.yellow(`${missing}.`)]),
    ...(differences.count === 0
      ? [pc.green('Every row is what the event log leads to.')]
      : differenceLines(differences)),
  ];
  return `${lines.join('\n')}\n`;
}

function splitLines({ splitDevices }: VerificationReport): string[] {
  if (splitDevices.length === 0) return [];
  return [
    pc.red(`Devices with rows of more than one partition: ${splitDevices.length.toLocaleString('en')}.`),
    ...splitDevices
      .slice(0, MAX_SPLIT_DEVICES)
      .map(({ device, partitions }) => `  ${JSON.stringify(device)}: partitions ${partitions.join(', ')}`),
    ...(splitDevices.length > MAX_SPLIT_DEVICES ? [pc.dim('  … --json names all of them')] : []),
  ];
}

function differenceLines({ count, byTable, first }: VerificationReport['differences']): string[] {
  const counts = Object.entries(byTable).flatMap(([table, kinds]) =>
    Object.entries(kinds).map(([kind, rows]) => `  ${table}: ${rows.toLocaleString('en')} ${kind}`),
  );
  const more = count - first.length;
  return [
    pc.red(`${count.toLocaleString('en')} rows differ:`),
    ...counts,
    ...first.map(describe),
    ...(more > 0 ? [pc.dim(`  … and ${more.toLocaleString('en')} more; --show prints more of them`)] : []),
  ];
}

function describe({ table, partition, kind, row, columns }: RowDifference): string {
  const where = Object.entries(row).map(([name, value]) => {
    const shown = name === 'window_start' && typeof value === 'number' ? isoOfMicros(value) : value;
    return `${name} ${JSON.stringify(shown)}`;
  });
  const values = Object.entries(columns ?? {}).map(
    ([name, { expected, stored }]) =>
      `\n      ${name}: ${JSON.stringify(stored)} instead of ${JSON.stringify(expected)}`,
  );
  return `  ${pc.bold(kind)} in ${table}, partition ${partition}: ${where.join(', ')}${values.join('')}`;
}

function accountingTable({ accounting }: VerificationReport): string {
  const head = [
    'partition',
    'read',
    'in windows',
    'expired',
    'on their way',
    'open',
    'aside',
    'late',
    'duplicate',
    'future',
    'malformed',
    'adds up',
  ];
  const table = new Table({ head, colAligns: head.map(() => 'right'), ...PLAIN_TABLE });
  for (const of of accounting) {
    const { late, duplicate, future, malformed } = of.rejected;
    const figures = [
      of.read,
      of.inStoredWindows,
      of.inExpiredWindows,
      of.onTheirWay,
      of.inOpenWindows,
      of.aside,
      late,
      duplicate,
      future,
      malformed,
    ];
    table.push([
      of.partition,
      ...figures.map((figure) => figure.toLocaleString('en')),
      of.addsUp ? 'yes' : pc.red('no'),
    ]);
  }
  return linesOf(table);
}
