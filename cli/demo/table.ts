import Table from 'cli-table3';
import { outColours as pc } from '../shared/colours';
import { decisionInWords } from '../../core/contracts/decisions';
import { type TargetWords } from '../../core/contracts/task';
import { percent, points, range, signed } from '../shared/format';
import { inUnit, level, signedError } from '../shared/quantities';
import {
  type PersistenceSummary,
  type Results,
  type RoundSummary,
  type VersionFigures,
} from '../results/summary-schema';
import { renderAnomalies } from './anomaly-table';
import { contributionInWords } from '../results/contribution-text';
import { linearInWords } from '../results/linear-text';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';

/** Results of a demo as a table: figures over all devices, and beside them those over the healthy ones. */
export function renderResults(results: Results, target: TargetWords): string {
  const rows: string[][] = [];
  const { firstVersion } = results;
  if (firstVersion !== null)
    rows.push([
      firstVersion.version,
      ...cells(firstVersion, target),
      '',
      '',
      ...healthyCells(firstVersion.healthy),
    ]);
  for (const round of results.rounds)
    rows.push(roundCells(round, round.version === results.champion, target));
  if (results.linear !== null) rows.push(linearCells(results.linear));
  rows.push(persistenceCells(results.persistence));

  const table = new Table({
    head: [
      'version',
      'accuracy',
      '95 %',
      'change',
      '95 %',
      inUnit('bias', target),
      'skill',
      'locals claim',
      'decision',
      'healthy',
      'change',
    ].map((name) => pc.bold(name)),
    colAligns: [
      'left',
      'right',
      'left',
      'right',
      'left',
      'right',
      'right',
      'right',
      'left',
      'right',
      'right',
    ],
    ...PLAIN_TABLE,
  });
  table.push(...rows);
  const anomalies = renderAnomalies(results);
  return `${linesOf(table)}\n${legend(results, target)}\n${anomalies === '' ? '' : `\n${anomalies}\n`}`;
}

function roundCells(round: RoundSummary, isChampion: boolean, target: TargetWords): string[] {
  const name = isChampion ? pc.bold(round.version) : round.version;
  return [
    name,
    ...cells(round, target),
    percent(round.selfReportedAccuracy),
    decision(round),
    ...healthyCells(round.healthy),
  ];
}

function cells(figures: VersionFigures, target: TargetWords): string[] {
  return [
    percent(figures.accuracy),
    range(figures.accuracyCi95, (share) => percent(share)),
    paintedPoints(figures.pairedChange),
    range(figures.pairedChangeCi95, points),
    figures.bias === null ? '' : signedError(figures.bias, target),
    figures.skill === null ? '' : signed(figures.skill, 2),
  ];
}

function healthyCells(figures: VersionFigures): string[] {
  return [percent(figures.accuracy), paintedPoints(figures.pairedChange)];
}

function linearCells({ accuracy, healthy }: NonNullable<Results['linear']>): string[] {
  return [
    'linear',
    percent(accuracy),
    ...['', '', '', '', '', ''],
    'beside the networks',
    percent(healthy?.accuracy ?? null),
    '',
  ].map((cell) => pc.dim(cell));
}

function persistenceCells(
  persistence: PersistenceSummary & { readonly healthy: PersistenceSummary },
): string[] {
  const { accuracy, accuracyCi95, healthy } = persistence;
  return [
    'persistence',
    percent(accuracy),
    range(accuracyCi95, (share) => percent(share)),
    '',
    '',
    '',
    '',
    '',
    'the floor',
    percent(healthy.accuracy),
    '',
  ].map((cell) => pc.dim(cell));
}

function decision(round: RoundSummary): string {
  const words = decisionInWords(round);
  switch (round.decision) {
    case 'promoted':
      return pc.green(words);
    case 'rejected':
      return pc.red(words);
    case 'kept':
      return pc.yellow(words);
  }
}

function legend(results: Results, target: TargetWords): string {
  const { champion } = results;
  const figures = [...results.rounds, ...(results.firstVersion === null ? [] : [results.firstVersion])];
  const best = figures.find(({ version }) => version === champion);
  const lines = [
    pc.dim(
      `accuracy: forecasts of ${target.sensor} in live windows within ${inUnit(level(target.tolerance), target)}, counted from model_evaluations.`,
    ),
    pc.dim(
      'change: from the champion before it, in points, on the same device-windows. skill: 1 − MAE / MAE of persistence.',
    ),
  ];
  if (best?.accuracy !== undefined && best.accuracy !== null && best.persistenceAccuracy !== null) {
    const ahead = points(best.accuracy - best.persistenceAccuracy);
    lines.push(
      `Champion ${pc.bold(best.version)}: ${percent(best.accuracy)} real accuracy, ${ahead} points from persistence on the same device-windows.`,
    );
    if (best.servedAccuracy !== null && best.servedAccuracy !== best.accuracy)
      lines.push(`As served, corrected by what each device has learnt: ${percent(best.servedAccuracy)}.`);
  }
  if (results.linear !== null) lines.push(linearInWords(results.linear));
  if (results.contribution !== null) lines.push(...contributionInWords(results.contribution));
  return lines.join('\n');
}

function paintedPoints(change: number | null): string {
  if (change === null) return '';
  const text = points(change);
  return change > 0 ? pc.green(text) : change < 0 ? pc.red(text) : text;
}
