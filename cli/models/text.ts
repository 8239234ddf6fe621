import { stripVTControlCharacters } from 'node:util';
import Table from 'cli-table3';
import { type Interval } from '../../core/contracts/rounds';
import { outColours as pc } from '../shared/colours';
import { percent } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { type ModelDiff } from './diff';
import { type ModelVersion, type StageChange } from './repository';
import { type ModelDetails } from './show';

/** Results of `fedloop models` as text. */

/** Node's types claim a number; without a terminal it is undefined. */
const terminalColumns = (): number | undefined => process.stdout.columns;

/** @param columns of the terminal; undefined without one, where lines may have any length. */
export function renderList(versions: readonly ModelVersion[], columns = terminalColumns()): string {
  const head = [
    'version',
    'stage',
    'accuracy',
    'as served',
    'windows',
    'round',
    'strategy',
    'devices',
    'since',
  ];
  const aligned = ['left', 'left', 'right', 'right', 'right', 'right', 'left', 'right', 'left'] as const;
  const rows = versions.map((version) => [
    version.stage === 'champion' ? pc.green(version.version) : version.version,
    version.stage ?? '',
    percent(version.accuracy),
    percent(version.servedAccuracy),
    whole(version.windows),
    whole(version.round),
    version.strategy ?? '',
    whole(version.devices),
    time(version.stageAt),
    version.stageReason ?? '',
  ]);
  const tableOf = (cells: number): string => {
    const table = new Table({
      head: [...head, 'reason'].slice(0, cells).map((name) => pc.bold(name)),
      colAligns: [...aligned, 'left' as const].slice(0, cells),
      ...PLAIN_TABLE,
    });
    table.push(...rows.map((row) => row.slice(0, cells)));
    return linesOf(table);
  };
  const full = tableOf(head.length + 1);
  // Reasons are left out where lines would not fit; `show` has them too.
  const fits = columns === undefined || widthOf(full) <= columns;
  return `${fits ? full : tableOf(head.length)}\n${pc.dim('accuracy: over all live windows that a version was measured on; versions were not measured on the same ones')}\n`;
}

export function renderDetails({ version, stages, leftOut }: ModelDetails): string {
  const lines: [string, string][] = [
    ['stage', version.stage ?? 'unknown'],
    ['accuracy', measured(version)],
    ['made in', version.round === null ? 'unknown' : `round ${version.round}, ${time(version.createdAt)}`],
    ['strategy', [version.strategy, version.role].filter((part) => part !== null).join(', ') || 'unknown'],
    ['parents', (version.parents ?? []).join(', ') || 'none'],
    [
      'devices',
      `${whole(version.devices) || '0'}${version.devicesSha256 === null ? '' : pc.dim(` (ids: sha256 ${version.devicesSha256})`)}`,
    ],
    ...(leftOut.length === 0
      ? []
      : ([['left out', leftOut.map(({ reason, updates }) => `${updates} ${reason}`).join(', ')]] as [
          string,
          string,
        ][])),
    ['data', version.dataUntil === null ? 'none' : `${time(version.dataFrom)} to ${time(version.dataUntil)}`],
    ['seed', whole(version.seed)],
    ['file', version.sha256 === null ? 'none' : `sha256 ${version.sha256}`],
  ];
  const feedback = Object.entries(version.feedbackUsed ?? {}).map(([name, value]): [string, string] => [
    name,
    shown(value),
  ]);
  return [
    pc.bold(version.version),
    block(lines),
    ...(feedback.length === 0 ? [] : [pc.bold('feedback used'), block(feedback)]),
    pc.bold('stages'),
    renderStages(stages),
  ].join('\n');
}

/** @param columns as in `renderList`; values are wrapped to them. */
export function renderDiff(
  { one, other, fields, feedback, weights, live }: ModelDiff,
  columns = terminalColumns(),
): string {
  const all = [...fields, ...feedback];
  const names = Math.max(0, ...all.map(({ name }) => name.length));
  const each = columns === undefined ? undefined : Math.floor((columns - names - 2 * GAP) / 2);
  const table = new Table({
    head: ['', pc.bold(one), pc.bold(other)],
    ...(each === undefined || each < MIN_COLUMN ? {} : { colWidths: [names, each, each], wordWrap: true }),
    ...PLAIN_TABLE,
  });
  for (const { name, one: left, other: right } of all) table.push([name, shown(left), shown(right)]);
  const distance =
    weights === null
      ? 'the networks have different shapes'
      : `${percent(weights.all)} of ${other}’s norm (hidden layer ${percent(weights.hiddenLayer)}, output layer ${percent(weights.outputLayer)})`;
  return [
    all.length === 0 ? 'the lineage is the same' : linesOf(table),
    '',
    block([
      ['weights', distance],
      [
        'live',
        live === null
          ? 'no device-window that both forecast'
          : `${one} is ${points(live.change)} points from ${other}, on the same ${whole(live.evaluations)} device-windows of ${whole(live.windows)} windows`,
      ],
    ]),
  ].join('\n');
}

function renderStages(stages: readonly StageChange[]): string {
  const table = new Table({ ...PLAIN_TABLE });
  for (const { at, stage, by, reason } of stages) table.push([time(at), stage, `by ${by}`, reason]);
  return `${linesOf(table)}\n`;
}

function block(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return `${lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`).join('\n')}\n`;
}

function measured({
  accuracy,
  servedAccuracy,
  windows,
  evaluations,
  persistenceAccuracy,
}: ModelVersion): string {
  if (accuracy === null) return 'not measured yet';
  return `${percent(accuracy)} (${percent(servedAccuracy)} as served) on ${whole(evaluations)} forecasts of ${whole(windows)} live windows (persistence ${percent(persistenceAccuracy)})`;
}

function points({ mean, low, high }: Interval): string {
  const signed = (value: number): string => `${value < 0 ? '−' : '+'}${Math.abs(100 * value).toFixed(2)}`;
  return `${signed(mean)} (${signed(low)} to ${signed(high)})`;
}

function whole(value: number | null): string {
  return value === null ? '' : value.toLocaleString('en');
}

/** To the second: `2020-01-01 00:00:00`. */
function time(iso: string | null): string {
  return iso === null ? '' : iso.slice(0, 19).replace('T', ' ');
}

/** Columns between two cells. */
const GAP = 2;
/** Narrowest useful column of text; below it lines are not wrapped. */
const MIN_COLUMN = 12;

/** Columns that the longest line takes on the screen. */
function widthOf(lines: string): number {
  return Math.max(
    ...stripVTControlCharacters(lines)
      .split('\n')
      .map(({ length }) => length),
  );
}

const DIGITS = 4;
/** Smaller numbers are rounding errors of a subtraction. */
const NOTHING = 1e-12;

function shown(value: unknown): string {
  if (value === null || value === undefined) return pc.dim('none');
  if (typeof value === 'number') return number(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function number(value: number): string {
  if (Number.isInteger(value)) return value.toLocaleString('en').replace('-', '−');
  return Math.abs(value) < NOTHING ? '0' : String(Number(value.toPrecision(DIGITS))).replace('-', '−');
}
