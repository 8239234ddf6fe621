import { type RoundProgress } from '../core/contracts/steps';

/** What Temporal's UI shows of a running round: a small Markdown table. */
export function describeProgress(progress: RoundProgress): string {
  const rows: readonly (readonly [string, string | number | null])[] = [
    ['Step', progress.step],
    ['Round', progress.round],
    ['Champion', progress.champion],
    ['Candidate', progress.candidate],
    ['Devices trained', progress.devicesTrained],
  ];
  return [
    '| | |',
    '| --- | --- |',
    ...rows.filter(([, value]) => value !== null).map(([name, value]) => `| ${name} | ${value ?? ''} |`),
  ].join('\n');
}
