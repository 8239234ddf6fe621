import Table from 'cli-table3';
import { decisionInWords } from '../../core/contracts/decisions';
import { type Task } from '../../core/contracts/task';
import { outColours as pc } from '../shared/colours';
import { counted, percent, points, range, signed, whole } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { type BacktestFigures, type BaselineResult, type VersionResult } from './results';

const NUMBERS = { ...PLAIN_TABLE };

/** Figures of a backtest as two tables: versions, and simple forecasts beside those that served. */
export function renderBacktest(figures: BacktestFigures, { target }: Task): string {
  const versions = new Table({
    head: [
      'version',
      'accuracy',
      '95 %',
      'as served',
      'change',
      '95 %',
      `bias ${target.unit}`.trim(),
      'skill',
      'decision',
    ].map((name) => pc.bold(name)),
    colAligns: ['left', 'right', 'left', 'right', 'right', 'left', 'right', 'right', 'left'],
    ...NUMBERS,
  });
  versions.push(...figures.versions.map((version) => versionCells(version, figures.champion)));
  const baselines = new Table({
    head: ['beside what served', 'accuracy', 'served', 'ahead', '95 %', 'device-windows'].map((name) =>
      pc.bold(name),
    ),
    colAligns: ['left', 'right', 'right', 'right', 'left', 'right'],
    ...NUMBERS,
  });
  baselines.push(...figures.baselines.map(baselineCells));
  return `${linesOf(versions)}\n\n${linesOf(baselines)}\n${legend(figures)}\n`;
}

function versionCells({ version, round, score }: VersionResult, champion: string): string[] {
  const change = round === null ? null : round.change;
  return [
    version === champion ? pc.bold(version) : version,
    percent(score?.accuracy ?? null),
    range(score?.accuracyCi95 ?? null, (share) => percent(share)),
    percent(score?.servedAccuracy ?? null),
    change === null ? '' : points(change.mean),
    change === null ? '' : range([change.low, change.high], points),
    score === null ? '' : signed(score.bias, 3),
    score?.skill === null || score === null ? '' : signed(score.skill, 2),
    round === null ? '' : decisionInWords(round),
  ];
}

function baselineCells({ name, accuracy, servedAccuracy, ahead, evaluations }: BaselineResult): string[] {
  return [
    name,
    percent(accuracy),
    percent(servedAccuracy),
    points(ahead.mean),
    range([ahead.low, ahead.high], points),
    whole(evaluations),
  ];
}

function legend({ served }: BacktestFigures): string {
  return [
    pc.dim(
      'accuracy: forecasts within the tolerance, of windows that the version had not seen. change: from the champion before',
    ),
    pc.dim('it, in points, on the windows on which it was judged. skill: 1 − MAE / MAE of persistence.'),
    pc.dim(
      'as served: corrected by what each device has learnt. linear: the line that rounds fit for the fleet.',
    ),
    served === null
      ? 'No version forecast anything.'
      : `Whichever version served: ${percent(served.accuracy)} of ${counted(served.evaluations, 'device-window')}, ${percent(served.servedAccuracy)} as served.`,
  ].join('\n');
}
