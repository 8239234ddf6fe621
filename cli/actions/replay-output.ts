import Table from 'cli-table3';
import { type RejectReason } from '../../core/contracts/blocks';
import { type MalformedDetail } from '../../core/contracts/events';
import {
  type AverageColumn,
  covariateColumns,
  type Sensors,
  type TargetWords,
} from '../../core/contracts/task';
import { isoOfMicros } from '../../core/contracts/time';
import { type ReplayOutput, type ReplaySummary } from '../../core/stream/replay/replay';
import { type ClosedWindow } from '../../core/stream/windows/rows';
import { percent, printableLine } from '../shared/format';
import { errorSize, inUnit, windowFigure } from '../shared/quantities';

/** A replay's output that receives the summary at the end. */
interface ReplayReport extends ReplayOutput {
  finish(summary: ReplaySummary): Promise<void>;
}

/** Writes text and waits for a slow reader. */
export type Write = (text: string) => Promise<void>;

/** One JSON object a line, in the order of the stream worker's writing; the summary is the last line. */
export function jsonReport(write: Write, sensors: Sensors): ReplayReport {
  const covariates = covariateColumns(sensors);
  let rejects: string[] = [];
  const flushRejects = async (): Promise<void> => {
    const text = rejects.join('');
    rejects = [];
    if (text !== '') await write(text);
  };
  return {
    reject(reason, line) {
      rejects.push(jsonLine({ type: 'reject', reason, line }));
      return rejects.length < REJECTS_AT_ONCE ? undefined : flushRejects();
    },
    async window(window) {
      await flushRejects();
      await write([...windowRows(window, covariates), ...evaluationRows(window)].map(jsonLine).join(''));
    },
    async finish({ read, windowed, late, duplicate, future, malformed, aside, bad_values, open_windows }) {
      await flushRejects();
      const verdicts = { read, windowed, late, duplicate, future, malformed, aside };
      // Nearly always there are none, and then there is nothing to say.
      const leftOut = bad_values > 0 ? { bad_values } : {};
      await write(jsonLine({ type: 'summary', ...verdicts, ...leftOut, open_windows }));
    },
  };
}

/** Bounds memory for a file that holds only rejects. */
const REJECTS_AT_ONCE = 1_000;

function jsonLine(row: object): string {
  return `${JSON.stringify(row)}\n`;
}

function windowRows({ start, end, analysis }: ClosedWindow, covariates: readonly AverageColumn[]): object[] {
  return analysis.device_id.map((device_id, i) => ({
    type: 'window',
    device_id,
    window_start: isoOfMicros(start),
    window_end: isoOfMicros(end),
    count: analysis.count[i],
    avg: analysis.avg[i],
    min: analysis.min[i],
    max: analysis.max[i],
    stddev: analysis.stddev[i],
    max_abs_z: analysis.max_abs_z[i],
    outliers: analysis.outliers[i],
    is_anomaly: (analysis.outliers[i] ?? 0) > 0,
    confidence: analysis.max_abs_z[i],
    ...Object.fromEntries(covariates.map((name) => [name, analysis[name]?.[i]])),
  }));
}

function evaluationRows({ start, end, evaluations }: ClosedWindow): object[] {
  return evaluations.device_id.map((device_id, i) => ({
    type: 'evaluation',
    model_version: evaluations.model_version[i],
    device_id,
    window_start: isoOfMicros(start),
    window_end: isoOfMicros(end),
    prediction_result: evaluations.prediction_result[i],
    actual_result: evaluations.actual_result[i],
    error: evaluations.error[i],
    loss: evaluations.loss[i],
    is_correct: evaluations.is_correct[i] === 1,
    confidence: evaluations.confidence[i],
    persistence_error: evaluations.persistence_error[i],
    predicted_anomaly: booleanOrNull(evaluations.predicted_anomaly[i]),
    band: evaluations.band[i],
    anomaly_score: evaluations.anomaly_score[i],
    anomaly_kind: evaluations.anomaly_kind[i],
    actual_anomaly: booleanOrNull(evaluations.actual_anomaly[i]),
    regime: evaluations.regime[i],
  }));
}

function booleanOrNull(flag: 0 | 1 | null | undefined): boolean | null {
  return flag === null || flag === undefined ? null : flag === 1;
}

/** Rows shown in full. Longer tables do not help a reader; `--json` prints everything. */
const WINDOWS_SHOWN = 40;
const REJECTS_SHOWN = 10;

interface VersionTotals {
  evaluations: number;
  correct: number;
  absoluteError: number;
  persistenceCorrect: number;
}

/** Tables for a person: the first windows, each version's accuracy, the first rejects, the summary. */
export function tableReport(write: Write, target: TargetWords): ReplayReport {
  const windows = new Table({
    head: ['device', 'window', 'count', 'avg', 'min', 'max', 'stddev', 'max |Z|', 'outliers'],
    ...PLAIN,
  });
  const rejects = new Table({ head: ['line', 'verdict', 'why'], ...PLAIN });
  const versions = new Map<string, VersionTotals>();
  let closed = 0;
  let rejected = 0;
  return {
    reject(reason: RejectReason, line: number, detail: MalformedDetail | undefined) {
      rejected += 1;
      if (rejected <= REJECTS_SHOWN) rejects.push([line, reason, detail ?? '']);
      return undefined;
    },
    window({ start, analysis, evaluations }) {
      analysis.device_id.forEach((device, i) => {
        closed += 1;
        if (closed > WINDOWS_SHOWN) return;
        const figures = [analysis.avg, analysis.min, analysis.max, analysis.stddev, analysis.max_abs_z].map(
          (column) => windowFigure(column[i] ?? NaN, target),
        );
        windows.push([
          printableLine(device),
          isoOfMicros(start),
          analysis.count[i] ?? 0,
          ...figures,
          analysis.outliers[i] ?? 0,
        ]);
      });
      evaluations.model_version.forEach((version, i) => {
        const totals = versions.get(version) ?? {
          evaluations: 0,
          correct: 0,
          absoluteError: 0,
          persistenceCorrect: 0,
        };
        totals.evaluations += 1;
        totals.correct += evaluations.is_correct[i] ?? 0;
        totals.absoluteError += Math.abs(evaluations.error[i] ?? NaN);
        if (Math.abs(evaluations.persistence_error[i] ?? NaN) <= target.tolerance)
          totals.persistenceCorrect += 1;
        versions.set(version, totals);
      });
      return Promise.resolve();
    },
    async finish(summary) {
      if (closed > 0) await write(`${windows.toString()}\n${more(closed - WINDOWS_SHOWN, 'windows')}\n`);
      if (versions.size > 0) await write(`${versionTable(versions, target)}\n\n`);
      if (rejected > 0) await write(`${rejects.toString()}\n${more(rejected - REJECTS_SHOWN, 'rejects')}\n`);
      await write(`${summaryTable(summary)}\n`);
    },
  };
}

const PLAIN = { style: { head: [], border: [] } };

function versionTable(versions: ReadonlyMap<string, VersionTotals>, target: TargetWords): string {
  const table = new Table({
    head: ['version', 'evaluations', 'accuracy', inUnit('mean |error|', target), 'persistence'],
    ...PLAIN,
  });
  for (const [version, { evaluations, correct, absoluteError, persistenceCorrect }] of versions) {
    table.push([
      version,
      evaluations,
      percent(correct / evaluations),
      errorSize(absoluteError / evaluations, target),
      percent(persistenceCorrect / evaluations),
    ]);
  }
  return table.toString();
}

function summaryTable(summary: ReplaySummary): string {
  const table = new Table({ ...PLAIN });
  for (const [name, value] of Object.entries(summary))
    table.push([name.replaceAll('_', ' '), { content: String(value), hAlign: 'right' }]);
  return table.toString();
}

function more(count: number, what: string): string {
  return count > 0 ? `… and ${count} more ${what}; --json prints them all\n` : '';
}
