import { decisionInWords } from '../../core/contracts/decisions';
import { counted, percent, points, range, signed, whole } from '../shared/format';
import { errorSize } from '../shared/quantities';
import { type ReportData } from './data';
import { withUnit } from './figure';
import { html, Html } from './html';
import { anomaliesSection } from './sections/anomalies';
import { contributionsSection } from './sections/contributions';
import { devicesSection, regimesSection, reliabilitySection } from './sections/errors';
import { claimsSection, feedbackSection } from './sections/feedback';
import { settingsSection, timelineSection } from './sections/run';
import { accuracySection, changeSection, windowsSection } from './sections/versions';
import { STYLE } from './style';

/** The report as one self-contained HTML page: no scripts, and no fonts or pictures from elsewhere. */
export function renderReport(data: ReportData): string {
  const page = html`<!DOCTYPE html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Fedloop: ${headline(data)}</title>
        <style>
          ${new Html(STYLE)}
        </style>
      </head>
      <body>
        <main>
          ${header(data)} ${accuracySection(data)} ${changeSection(data)} ${windowsSection(data)}
          ${claimsSection(data)} ${feedbackSection(data)} ${contributionsSection(data)}
          ${reliabilitySection(data)} ${regimesSection(data)} ${anomaliesSection(data)}
          ${devicesSection(data)} ${timelineSection(data)} ${settingsSection(data)}
        </main>
        <footer>
          Made by Fedloop ${data.software} on ${data.madeAt.slice(0, 16).replace('T', ' ')} UTC from the
          tables of run ${data.run}. Every figure is counted from rows; under each picture stands the SQL for
          <code>fedloop sql</code>.
        </footer>
      </body>
    </html> `;
  return page.text;
}

/** The most important result in one sentence. */
export function headline({ results, champion }: ReportData): string {
  const line = championLine(results, champion);
  if (line.accuracy === null) return `champion ${champion}, not measured yet`;
  const { persistenceAccuracy: floor } = line;
  // On the same device-windows: other versions met other weather.
  const ahead = floor === null ? null : line.accuracy - floor;
  const comparison =
    ahead === null
      ? ''
      : `, ${Math.abs(100 * ahead).toFixed(1)} points ${ahead >= 0 ? 'above' : 'below'} “nothing changes”`;
  return `${champion} is right in ${percent(line.accuracy)} of its forecasts${comparison}`;
}

function championLine(
  results: ReportData['results'],
  champion: string,
): Pick<
  NonNullable<ReportData['results']['firstVersion']>,
  'accuracy' | 'accuracyCi95' | 'persistenceAccuracy' | 'skill' | 'mae' | 'healthy'
> {
  const lines = [...results.rounds, ...(results.firstVersion === null ? [] : [results.firstVersion])];
  const line = lines.find(({ version }) => version === champion);
  if (line === undefined) throw new RangeError(`the champion ${champion} is not among the versions`);
  return line;
}

function header(data: ReportData): Html {
  const { results, champion, counts, truth, locals, target } = data;
  const line = championLine(results, champion);
  const evaluations = counts.rows.reduce((sum, row) => sum + row.evaluations, 0);
  const promoted = results.rounds.filter(({ decision }) => decision === 'promoted').length;
  const claim = locals.rows.at(-1);
  const lastRound = results.rounds.at(-1);
  const notes = [
    ...(data.earlierRounds > 0
      ? [`${counted(data.earlierRounds, 'earlier round')} not shown (fedloop report --rounds).`]
      : []),
    ...(data.expired > 0
      ? [
          `${counted(data.expired, 'evaluation')} older than the retention; this report counts the rows that are still there.`,
        ]
      : []),
  ];
  return html`<header>
    <p class="brand">
      <span aria-hidden="true">◆</span> Fedloop report <span class="run">run ${data.run}</span>
    </p>
    <h1>${headline(data)}</h1>
    <p class="lead">
      ${counted(results.rounds.length, 'round')},
      ${promoted === results.rounds.length ? 'all promoted' : `${whole(promoted)} promoted`}${truth === null ? '' : `; ${counted(truth.devices, 'device')}, ${whole(truth.faults.size)} of them faulty`};
      ${whole(evaluations)} forecasts, each made before the readings arrived that it was measured on
      (prequential evaluation).
    </p>
    <ul class="tiles">
      ${tile('real accuracy', percent(line.accuracy), `95 %: ${range(line.accuracyCi95, (share) => percent(share))}`)}
      ${tile('persistence, the floor', percent(line.persistenceAccuracy), 'on the same device-windows')}
      ${tile('skill over persistence', line.skill === null ? '–' : signed(line.skill, 2), line.mae === null ? '' : `mean error ${withUnit(errorSize(line.mae, target), target)}`)}
      ${
        truth === null
          ? null
          : tile(
              'healthy devices alone',
              percent(line.healthy.accuracy),
              `without ${whole(truth.faults.size)} faulty ones`,
            )
      }
      ${tile('locals claim', percent(claim?.self_reported ?? null), claim?.panel === null || claim?.panel === undefined ? '' : `on panels ${percent(claim.panel)}`)}
      ${tile('last round', lastRound?.pairedChange === null || lastRound === undefined ? '–' : points(lastRound.pairedChange), lastRound === undefined ? '' : `points, ${lastRound.version} ${decisionInWords(lastRound)}`)}
    </ul>
    ${notes.length === 0 ? null : html`<p class="note">${notes.join(' ')}</p>`}
  </header>`;
}

function tile(name: string, value: string, more: string): Html {
  return html`<li>
    <span class="name">${name}</span><span class="value">${value}</span><span class="more">${more}</span>
  </li>`;
}
