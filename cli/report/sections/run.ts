import { whole } from '../../shared/format';
import { level } from '../../shared/quantities';
import { formatSeconds } from '../../progress';
import { COLOUR_OF_PHASE, timelineChart, type Phase } from '../charts/timeline';
import { clock } from '../charts/windows';
import { type ReportData } from '../data';
import { behind, columns, legend, withUnit, picture, section, table, text } from '../figure';
import { html, type Html } from '../html';

/** The rounds over wall-clock time. */
export function timelineSection({ results, timeline }: ReportData): Html {
  const { rows } = timeline;
  const origin = Math.min(...rows.map(({ started_at, deployed_at }) => started_at ?? deployed_at));
  const seconds = (micros: number): number => (micros - origin) / 1e6;
  const lines = rows.map((row) => {
    const made: readonly Phase[] =
      row.started_at === null
        ? []
        : [{ from: seconds(row.started_at), until: seconds(row.deployed_at), kind: 'making' }];
    const measured: readonly Phase[] =
      row.decided_at === null
        ? []
        : [{ from: seconds(row.deployed_at), until: seconds(row.decided_at), kind: 'measuring' }];
    return {
      name: `round ${row.round}`,
      phases: [...made, ...measured],
      outcome: results.rounds.find(({ round }) => round === row.round)?.decision ?? '',
    };
  });
  const at = (micros: number | null): string =>
    micros === null ? '' : new Date(micros / 1000).toISOString().slice(11, 19);
  return section(
    'timeline',
    'Round by round',
    'By the wall clock. Grey runs from the decision before to the candidate’s deployment and includes waiting between rounds.',
    legend([
      { name: 'select, train, score, aggregate, deploy', colour: COLOUR_OF_PHASE.making, filled: true },
      { name: 'measured on live windows, then decided', colour: COLOUR_OF_PHASE.measuring, filled: true },
    ]),
    picture((layout) => timelineChart(lines, layout), 'Timeline of the rounds'),
    behind(
      table(
        columns('round', 'before it', 'deployed', 'first scored', 'last scored', 'decided', 'to decide'),
        rows.map((row) => [
          String(row.round),
          at(row.started_at),
          at(row.deployed_at),
          at(row.first_scored_at),
          at(row.last_scored_at),
          at(row.decided_at),
          row.decided_at === null ? '' : formatSeconds((row.decided_at - row.deployed_at) / 1000),
        ]),
      ),
      [timeline.sql],
    ),
  );
}

/** Everything that is needed to repeat the run. */
export function settingsSection(data: ReportData): Html {
  const { lineage, settings, given, software } = data;
  const [stream] = settings.rows;
  const first = data.windows.rows[0]?.window_start;
  const last = data.windows.rows.at(-1)?.window_start;
  const facts: readonly (readonly [string, string])[] = [
    ['Fedloop', software],
    ...(stream === undefined
      ? []
      : ([
          ['window', `${stream.window_seconds} s`],
          ['watermark', `${stream.watermark_seconds} s`],
          ['target', data.target.sensor],
          ['tolerance', withUnit(level(data.target.tolerance), data.target)],
        ] as const)),
    ...(first === undefined || last === undefined
      ? []
      : ([['windows counted', `${clock(first)} to ${clock(last)} UTC, event time`]] as const)),
  ];
  const list = (entries: readonly (readonly [string, string])[]): Html =>
    html`<dl>
      ${entries.map(
        ([name, value]) =>
          html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
      )}
    </dl>`;
  return section(
    'settings',
    'Settings and seeds',
    'With the same settings and seeds, the same data gives the same fleet, selection, shuffles and first weights.',
    list(facts),
    table(
      columns(
        'version',
        text('strategy'),
        text('role'),
        text('parents'),
        'local models',
        'seed',
        text('stage'),
      ),
      lineage.rows.map(({ model_version, strategy, role, parents, devices, seed, stage }) => [
        model_version,
        strategy ?? '',
        role ?? '',
        (parents ?? []).join(', '),
        devices === null ? '' : whole(devices),
        seed === null ? '' : String(seed),
        stage ?? '',
      ]),
    ),
    given.length === 0
      ? null
      : html`<details>
          <summary>Every setting of the command</summary>
          ${list(given)}
        </details>`,
    behind(null, [settings.sql, lineage.sql]),
  );
}
