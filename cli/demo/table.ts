import Table from 'cli-table3';
import { outColours as pc } from '../colours';
import { type PersistenceSummary, type Results, type RoundSummary, type VersionFigures } from './summary';
import { PLAIN_TABLE } from '../table-style';

/** The end of a demo: one table over all devices, and beside it the same for the healthy ones. */
export function renderResults(results: Results): string {
  const rows: string[][] = [];
  const { firstVersion } = results;
  if (firstVersion !== null)
    rows.push([firstVersion.version, ...cells(firstVersion), '', '', ...healthyCells(firstVersion.healthy)]);
  for (const round of results.rounds) rows.push(roundCells(round, round.version === results.champion));
  rows.push(persistenceCells(results.persistence));

  const table = new Table({
    head: [
      'version',
      'accuracy',
      '95 %',
      'change',
      '95 %',
      'bias °C',
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
  return `${table.toString()}\n${legend(results)}\n`;
}

function roundCells(round: RoundSummary, isChampion: boolean): string[] {
  const name = isChampion ? pc.bold(round.version) : round.version;
  return [
    name,
    ...cells(round),
    percent(round.selfReportedAccuracy),
    decision(round),
    ...healthyCells(round.healthy),
  ];
}

function cells(figures: VersionFigures): string[] {
  return [
    percent(figures.accuracy),
    range(figures.accuracyCi95, percent),
    points(figures.pairedChange),
    range(figures.pairedChangeCi95, plainPoints),
    figures.bias === null ? '' : signed(figures.bias, 2),
    figures.skill === null ? '' : signed(figures.skill, 2),
  ];
}

function healthyCells(figures: VersionFigures): string[] {
  return [percent(figures.accuracy), points(figures.pairedChange)];
}

function persistenceCells(
  persistence: PersistenceSummary & { readonly healthy: PersistenceSummary },
): string[] {
  const { accuracy, accuracyCi95, healthy } = persistence;
  return [
    'persistence',
    percent(accuracy),
    range(accuracyCi95, percent),
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
  switch (round.decision) {
    case 'promoted':
      return pc.green(round.decision);
    case 'rejected':
      return pc.red(round.decision);
    case 'kept':
      return pc.yellow('champion kept');
  }
}

function legend(results: Results): string {
  const { champion, persistence } = results;
  const figures = [...results.rounds, ...(results.firstVersion === null ? [] : [results.firstVersion])];
  const best = figures.find(({ version }) => version === champion);
  const lines = [
    pc.dim(
      'accuracy: forecasts of live windows within the tolerance, counted from model_evaluations. change: from the champion',
    ),
    pc.dim('before it, in points, on the same device-windows. skill: 1 − MAE / MAE of persistence.'),
  ];
  if (best?.accuracy !== undefined && best.accuracy !== null && persistence.accuracy !== null) {
    const ahead = plainPoints(best.accuracy - persistence.accuracy);
    lines.push(
      `Champion ${pc.bold(best.version)}: ${percent(best.accuracy)} real accuracy, ${ahead} points from persistence.`,
    );
  }
  return lines.join('\n');
}

function percent(share: number | null): string {
  return share === null ? '' : `${(100 * share).toFixed(1)} %`;
}

function points(change: number | null): string {
  if (change === null) return '';
  const text = plainPoints(change);
  return change > 0 ? pc.green(text) : change < 0 ? pc.red(text) : text;
}

function plainPoints(change: number): string {
  return signed(100 * change, 2);
}

function signed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  // A zero has no sign, also one that rounding has made.
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`;
}

function range(interval: readonly [number, number] | null, format: (value: number) => string): string {
  return interval === null
    ? ''
    : `${format(interval[0]).replace(' %', '')} … ${format(interval[1]).replace(' %', '')}`;
}
