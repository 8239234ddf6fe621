import Table from 'cli-table3';
import { remedyOf } from '../../core/contracts/remedies';
import { counted, printable, whole } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { type ImportReport } from './import';

/** An import's report for people. */
export function importText(report: ImportReport, isDryRun: boolean): string {
  const { windows, partitions, rejected } = report;
  const begun = partitions.filter((partition) => partition.begun).length;
  const lines = [
    `${counted(report.rows, 'row')}: ${counted(report.readings, 'reading')}, ${whole(report.used)} used, ${whole(report.readings - report.used)} rejected; ${counted(report.devices, 'device')}.`,
    `${counted(windows.found, 'window')}: ${whole(windows.written)} ${isDryRun ? 'would be written' : 'written'}${windowsLeftOut(windows)}.`,
    ...(report.droppedValues === 0
      ? []
      : [`${counted(report.droppedValues, 'value')} of covariates were no readings, and were left out.`]),
    ...(windows.written > 0 ? [effectOf(begun, partitions.length)] : ['Nothing is new: nothing changes.']),
  ];
  const reasons = Object.entries(rejected).sort(([, a], [, b]) => b.count - a.count);
  if (reasons.length === 0) return `${lines.join('\n')}\n`;
  const table = new Table({ ...PLAIN_TABLE, head: ['rejected', 'count', 'the first'] });
  for (const [reason, { count, first }] of reasons) {
    const where = first === null ? '' : printable(`${first.file}, line ${first.line}: ${first.detail}`);
    table.push([reason, { content: whole(count), hAlign: 'right' }, where]);
  }
  const remedies = reasons.flatMap(([reason]) => {
    const remedy = remedyOf(reason);
    return remedy === undefined ? [] : [`${reason}: ${remedy}`];
  });
  const under = remedies.length === 0 ? [] : ['', ...remedies];
  return `${[...lines, '', linesOf(table), ...under].join('\n')}\n`;
}

function windowsLeftOut({ live, known, open, old }: ImportReport['windows']): string {
  const parts = [
    [live, 'have a live row, which counts'],
    [known, 'were imported before'],
    [open, 'are not closed yet, and come live'],
    [old, 'are older than what is kept'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `, ${whole(count)} ${what}`)
    .join('');
}

function effectOf(begun: number, partitions: number): string {
  if (begun === 0) return 'Devices begin with this past: they are forecast from their first windows on.';
  const which = begun === partitions ? 'All partitions have' : `${begun} of ${partitions} partitions have`;
  return `${which} begun to read: there the history trains models, and forecasts go on with what devices have sent.`;
}
