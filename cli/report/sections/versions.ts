import { type CountRow } from '../queries/versions';
import { percent, points, range, signed, whole } from '../../shared/format';
import { linearInWords } from '../../results/linear-text';
import { errorSize, inUnit, level, signedError } from '../../shared/quantities';
import { COLOURS } from '../charts/draw';
import { intervalChart } from '../charts/intervals';
import { colourOfLine, measuredOf, windowsChart } from '../charts/windows';
import { linesOf, type ReportData } from '../data';
import { badge, behind, columns, legend, withUnit, picture, section, share, table, text } from '../figure';
import { html, type Html } from '../html';

const asPercent = (value: number): string => percent(value);

/** Accuracy of each version, with its interval. */
export function accuracySection(data: ReportData): Html {
  const { results, champion, counts, target } = data;
  const { persistence } = results;
  const measured = linesOf(results).flatMap((line) => {
    const { version, accuracy, accuracyCi95 } = line;
    if (accuracy === null || accuracyCi95 === null) return [];
    const strong = version === champion;
    return [
      {
        name: version,
        mean: accuracy,
        low: accuracyCi95[0],
        high: accuracyCi95[1],
        colour: strong ? COLOURS.accent : COLOURS.quiet,
        strong,
      },
    ];
  });
  return section(
    'accuracy',
    'How right is each version?',
    html`Prequential accuracy: the share of forecasts of ${target.sensor} in live windows that came within the
    tolerance (${withUnit(level(target.tolerance), target)}), with 95 % intervals clustered by recorded series
    and by window, because such devices have easy and hard times together. Versions were live at different
    times, so compare them with each other in the next picture.`,
    picture(
      (layout) =>
        intervalChart(
          measured,
          {
            axis: 'real accuracy',
            format: asPercent,
            tick: share,
            reference: {
              value: persistence.accuracy ?? 0,
              name: `persistence ${percent(persistence.accuracy)}`,
            },
          },
          layout,
        ),
      `Real accuracy by version: ${measured.map(({ name, mean }) => `${name} ${percent(mean)}`).join(', ')}`,
    ),
    ...(results.linear === null ? [] : [html`<p>${linearInWords(results.linear)}</p>`]),
    behind(accuracyTable(data), [counts.sql]),
  );
}

function accuracyTable({ results, counts, truth, target }: ReportData): Html {
  const countOf = new Map<string, CountRow>(counts.rows.map((row) => [row.model_version, row]));
  return table(
    columns(
      'version',
      'windows',
      'forecasts',
      'correct',
      'accuracy',
      '95 %',
      'as served',
      inUnit('bias', target),
      inUnit('MAE', target),
      'skill',
      ...(truth === null ? [] : ['healthy devices']),
      text('decision'),
    ),
    linesOf(results).map((line) => {
      const count = countOf.get(line.version);
      return [
        line.version,
        whole(count?.windows ?? 0),
        whole(count?.evaluations ?? 0),
        whole(count?.correct ?? 0),
        percent(line.accuracy),
        range(line.accuracyCi95, asPercent),
        percent(line.servedAccuracy),
        line.bias === null ? '' : signedError(line.bias, target),
        line.mae === null ? '' : errorSize(line.mae, target),
        line.skill === null ? '' : signed(line.skill, 2),
        ...(truth === null ? [] : [percent(line.healthy.accuracy)]),
        'decision' in line ? line.decision : '',
      ];
    }),
  );
}

/** Paired change of accuracy by each round. */
export function changeSection({ results }: ReportData): Html {
  const lines = results.rounds.flatMap((round) => {
    const { version, championBefore, pairedChange, pairedChangeCi95 } = round;
    if (pairedChange === null || pairedChangeCi95 === null) return [];
    const [low, high] = pairedChangeCi95;
    const colour = low > 0 ? COLOURS.good : high < 0 ? COLOURS.bad : COLOURS.quiet;
    return [{ name: `${version} − ${championBefore}`, mean: pairedChange, low, high, colour, strong: false }];
  });
  return section(
    'change',
    'What did each round gain?',
    html`Each version against the champion before it, on the device-windows that both of them forecast: the
    same times, the same devices. Green lies above zero with its whole interval.`,
    picture(
      (layout) =>
        intervalChart(
          lines,
          {
            axis: 'change of real accuracy, percentage points',
            format: points,
            tick: (value) => signed(100 * value, 0),
            reference: { value: 0, name: 'no change' },
          },
          layout,
        ),
      `Paired change by round: ${lines.map(({ name, mean }) => `${name} ${points(mean)} points`).join(', ')}`,
    ),
    html`<h3>What the gate saw</h3>`,
    table(
      columns('round', 'windows', 'champion', 'candidate', 'change', '95 %', text('decision')),
      results.rounds.map(({ round, judged, decision, finding, version }) => [
        `${round}: ${version}`,
        whole(judged.windows),
        percent(judged.championAccuracy),
        percent(judged.accuracy),
        points(judged.pairedChange),
        range(judged.pairedChangeCi95, points),
        badge({ decision, finding }),
      ]),
    ),
    html`<p class="note">
      The gate decides on the windows of its own round; the picture goes on counting while both versions stay
      live.
    </p>`,
    behind(null, [
      'SELECT round, model_version, champion, windows, champion_accuracy, accuracy, paired_change, paired_change_low, paired_change_high, decision, finding, reason\nFROM federated_rounds ORDER BY round',
      'SELECT candidate.model_version, count(*) AS pairs, avg(candidate.is_correct::INT) - avg(champion.is_correct::INT) AS change\nFROM federated_rounds AS rounds\nJOIN model_evaluations AS candidate ON candidate.model_version = rounds.model_version\nJOIN model_evaluations AS champion ON champion.model_version = rounds.champion\n AND champion.device_id = candidate.device_id AND champion.window_start = candidate.window_start\nGROUP BY candidate.model_version ORDER BY candidate.model_version',
    ]),
  );
}

/** Accuracy of each version window by window. */
export function windowsSection(data: ReportData): Html {
  const { windows, versions, champion, target } = data;
  return section(
    'windows',
    'On the live stream',
    html`Accuracy in every live window. Where lines run over one another, versions forecast the same devices
    in the same window; when ${target.sensor} is hard to forecast, all of them fall together, and so does
    persistence (“nothing changes”).`,
    legend([
      { name: 'persistence', colour: COLOURS.muted, filled: false },
      ...measuredOf(windows.rows, versions).map((version, index, { length }) => ({
        name: version,
        colour: colourOfLine(index, length),
        filled: true,
      })),
    ]),
    picture(
      (layout) => windowsChart(windows.rows, versions, champion, layout),
      'Accuracy of each version by live window, with persistence',
    ),
    behind(null, [windows.sql]),
  );
}
