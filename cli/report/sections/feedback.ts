import { type TargetWords } from '../../../core/contracts/task';
import { type ActionRow, type FeedbackUsedRow } from '../queries/rounds';
import { type RoundSummary } from '../../results/summary-schema';
import { percent, whole } from '../../shared/format';
import { errorSize, inUnit, signedError } from '../../shared/quantities';
import { COLOURS, draw, SMALL } from '../charts/draw';
import { dumbbellChart, type Kind } from '../charts/dumbbells';
import { REGIMES, type ReportData } from '../data';
import { describeAction } from '../feedback-text';
import { badge, behind, columns, legend, withUnit, picture, section, share, table } from '../figure';
import { html, type Html } from '../html';

/** Accuracy that local models report of themselves, beside their measured accuracy. */
export function claimsSection({ results, locals }: ReportData): Html {
  const localsOf = new Map(locals.rows.map((row) => [row.round, row]));
  const rows = results.rounds.map(({ round, version, accuracy }) => {
    const row = localsOf.get(round);
    return {
      name: `round ${round}: ${version}`,
      values: [row?.self_reported ?? null, row?.panel ?? null, accuracy],
    };
  });
  const kinds = [
    { name: 'local models, by their own account', colour: COLOURS.claim, filled: false },
    { name: 'local models, on other devices (panels)', colour: COLOURS.quiet, filled: true },
    { name: 'the version they made, live', colour: COLOURS.accent, filled: true },
  ];
  const gaps = locals.rows.flatMap(({ self_reported, panel }) =>
    self_reported === null || panel === null ? [] : [self_reported - panel],
  );
  const gap = gaps.length === 0 ? null : gaps.reduce((sum, value) => sum + value, 0) / gaps.length;
  return section(
    'claims',
    'What is claimed, and what is real?',
    html`A usual server averages the accuracy that local models report on the data they trained
    on.${gap === null ? '' : ` Measured on devices that took no part, they were right ${Math.abs(100 * gap).toFixed(1)} points ${gap > 0 ? 'less' : 'more'} often than they claimed.`}
    Only the blue figure comes from readings that arrived after the forecast.`,
    legend(kinds),
    picture(
      (layout) => dumbbellChart(rows, kinds, { axis: 'accuracy', tick: share, layout }),
      'Accuracy by round: self-reported, on panels, and real',
    ),
    behind(
      table(
        columns('round', 'local models', 'self-reported', 'on panels', 'live'),
        results.rounds.map(({ round, version, accuracy }) => {
          const row = localsOf.get(round);
          return [
            `${round}: ${version}`,
            whole(row?.locals ?? 0),
            percent(row?.self_reported ?? null),
            percent(row?.panel ?? null),
            percent(accuracy),
          ];
        }),
      ),
      [locals.sql],
    ),
  );
}

/** For each round: the feedback that it got, what it did, and the result. */
export function feedbackSection({ results, feedbackUsed, actions, target }: ReportData): Html {
  const cards = results.rounds.map((round) =>
    roundCard(
      round,
      feedbackUsed.rows.find((row) => row.round === round.round)?.feedback_used ?? {},
      actions.rows.filter((row) => row.round === round.round),
      target,
    ),
  );
  return section(
    'feedback',
    'What did feedback change?',
    'Each round gets feedback on the champion from the live stream, acts on it, and is compared with it: before and after, on the same device-windows.',
    cards,
    behind(
      table(
        columns(
          'round, regime',
          'device-windows',
          'accuracy before',
          'after',
          inUnit('MAE before', target),
          'after',
          inUnit('bias before', target),
          'after',
        ),
        actions.rows.map((row) => [
          `${row.round}, ${row.regime}`,
          whole(row.n),
          percent(row.accuracy_before),
          percent(row.accuracy_after),
          errorSize(row.mae_before, target),
          errorSize(row.mae_after, target),
          signedError(row.bias_before, target),
          signedError(row.bias_after, target),
        ]),
      ),
      [actions.sql, feedbackUsed.sql],
    ),
  );
}

function roundCard(
  { round, version, championBefore, decision, finding }: RoundSummary,
  used: FeedbackUsedRow['feedback_used'],
  rows: readonly ActionRow[],
  target: TargetWords,
): Html {
  const { feedback, done } = describeAction(used, target);
  const list = (items: readonly string[]): Html =>
    items.length === 0
      ? html`<p>Nothing had been measured yet.</p>`
      : html`<ul>
          ${items.map((item) => html`<li>${item}</li>`)}
        </ul>`;
  return html`<article class="action">
    <h3>Round ${round}: ${championBefore} → ${version} ${badge({ decision, finding })}</h3>
    <div class="columns">
      <div>
        <h4>The live stream said</h4>
        ${list(feedback)}
        <h4>So the round did</h4>
        ${list(done)}
      </div>
      <div>
        <h4>What came of it</h4>
        ${beforeAndAfter(
          round,
          rows,
          [
            { name: `${championBefore}, before`, colour: COLOURS.quiet, filled: false },
            { name: `${version}, after`, colour: COLOURS.accent, filled: true },
          ],
          target,
        )}
      </div>
    </div>
  </article>`;
}

/** Champion and candidate on the same device-windows, over all and by regime. */
function beforeAndAfter(
  round: number,
  rows: readonly ActionRow[],
  kinds: readonly Kind[],
  target: TargetWords,
): Html {
  const all = rows.find(({ regime }) => regime === 'all');
  if (all === undefined) return html`<p>No device-window was forecast by both.</p>`;
  const lines = ['all', ...REGIMES].flatMap((regime) => {
    const row = rows.find((known) => known.regime === regime);
    return row === undefined ? [] : [{ name: regime, values: [row.accuracy_before, row.accuracy_after] }];
  });
  return html`<p>
      On ${whole(all.n)} device-windows: accuracy ${percent(all.accuracy_before)} →
      <b>${percent(all.accuracy_after)}</b>, mean error ${errorSize(all.mae_before, target)} →
      <b>${withUnit(errorSize(all.mae_after, target), target)}</b>, bias
      ${signedError(all.bias_before, target)} →
      <b>${withUnit(signedError(all.bias_after, target), target)}</b>.
    </p>
    ${legend(kinds)}
    ${draw(
      dumbbellChart(lines, kinds, {
        axis: 'accuracy on the same device-windows',
        tick: share,
        layout: 'narrow',
      }),
      SMALL,
      `Accuracy before and after round ${round}: ${lines.map(({ name, values }) => `${name} ${values.map((value) => percent(value)).join(' to ')}`).join(', ')}`,
    )}`;
}
