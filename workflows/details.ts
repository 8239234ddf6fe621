import { type EvaluationProgress } from '../core/contracts/evaluation';
import { type FederatedRoundResult, type Interval } from '../core/contracts/rounds';
import { type RoundProgress } from '../core/contracts/steps';
import { ROUNDS_SHOWN } from './limits';
import { markdownText } from './markdown';

/** What people see beside a round's progress. */
interface RoundFacts {
  readonly startedBy: string;
  /** A pause holds it between steps; else the step that runs is finished first. */
  readonly state: 'in a step' | 'between steps' | 'ended';
  /** Candidate minus champion, with its interval. */
  readonly change: Interval | null;
  /** While a person is asked: the gate's sentence, until when (milliseconds since 1970; null while the clock stands still) and what happens then. */
  readonly approval: {
    readonly gate: string;
    readonly deadline: number | null;
    readonly byDefault: 'approve' | 'reject';
  } | null;
}

/** What Temporal's UI shows of a running round: a small Markdown table. */
export function describeProgress(
  progress: RoundProgress,
  { startedBy, state, change: measured, approval }: RoundFacts,
): string {
  const { waitsFor, round, champion, candidate, devicesTrained, leftOut, accuracy, change, decision } =
    progress;
  const rejects = Object.entries(leftOut).filter(([, count]) => count > 0);
  return table(
    ['', ''],
    [
      ['Step', whereItIs(progress, state)],
      ['To answer', approval === null ? null : whatIsAsked(approval)],
      ['The gate', approval?.gate ?? null],
      ['Waits for', waitsFor],
      ['Round', round],
      ['Version', candidate === null ? null : `${candidate} beside champion ${champion ?? 'none'}`],
      ['Champion', candidate === null ? champion : null],
      ['Accuracy', accuracy === null ? null : percent(accuracy)],
      ['Change', measured !== null ? pointsWithin(measured) : change === null ? null : points(change)],
      ['Devices trained', devicesTrained],
      [
        'Updates that do not count',
        devicesTrained === null
          ? null
          : rejects.length === 0
            ? 'none'
            : rejects.map(([reason, count]) => `${reason}: ${count}`).join(', '),
      ],
      ['Decision', decision],
      ['Started by', startedBy],
    ],
  );
}

/** The rounds of a training run, the latest first. */
export function describeRounds(
  finished: readonly FederatedRoundResult[],
  heading: string,
  paused: string | null,
  trouble: string | null,
): string {
  const shown = finished.slice(-ROUNDS_SHOWN).reverse();
  const lines = [
    ...(trouble === null ? [] : [markdownText(trouble), '']),
    markdownText(paused === null ? heading : `Paused before the next round: ${paused}`),
  ];
  if (shown.length > 0) {
    lines.push(
      '',
      table(
        ['Round', 'Version', 'Accuracy', 'Change', 'Devices', 'Do not count', 'Decision'],
        shown.map((round) => [
          round.round,
          round.version,
          percent(round.candidate.accuracy),
          points(round.pairedChange.mean),
          round.updates.trained,
          Object.values(round.updates.leftOut).reduce((sum, count) => sum + count, 0),
          round.decision,
        ]),
      ),
    );
  }
  return lines.join('\n');
}

/** The live evaluation: its stream workers, the champion's accuracy, and what happened. */
export function describeEvaluation(progress: EvaluationProgress): string {
  const { workers, champion, accuracy, predecessorAccuracy, persistenceAccuracy, paused, news } = progress;
  const facts = table(
    ['', ''],
    [
      ['Stream workers', workers.length === 0 ? 'none has a lease' : workers.join(', ')],
      [paused === null ? 'Champion' : 'Champion at the last check', champion],
      ['Accuracy', accuracy === null ? null : percent(accuracy)],
      ['Its predecessor', predecessorAccuracy === null ? null : percent(predecessorAccuracy)],
      ['Persistence', persistenceAccuracy === null ? null : percent(persistenceAccuracy)],
      ['Live checks', paused === null ? progress.checks : `paused: ${paused}`],
      ['Rollbacks', progress.rollbacks],
      ['Rounds that drift asked for', progress.roundsAskedFor],
    ],
  );
  const happened = [...news].reverse().map(({ at, what }) => [at, what]);
  return happened.length === 0 ? facts : `${facts}\n\n${table(['When', 'What'], happened)}`;
}

type Cell = string | number | null;

/** A Markdown table; rows whose last cell is null are left out. */
function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]): string =>
    `| ${cells.map((cell) => markdownText(String(cell ?? ''))).join(' | ')} |`;
  return [
    line(head),
    `| ${head.map(() => '---').join(' | ')} |`,
    ...rows.filter((row) => row.at(-1) !== null).map((row) => line(row)),
  ].join('\n');
}

function whereItIs({ step, paused }: RoundProgress, state: RoundFacts['state']): string {
  if (state === 'ended') return step === 'done' ? step : `ended at ${step}, without a decision`;
  if (paused === null) return step;
  if (step === 'approve') return `paused at approve: ${paused}`;
  return `${state === 'between steps' ? 'paused after' : 'pauses after'} ${step}: ${paused}`;
}

/** What people can do, until when, and what happens if they do not. */
function whatIsAsked({ deadline, byDefault }: NonNullable<RoundFacts['approval']>): string {
  const until =
    deadline === null
      ? 'the time stands still while it is paused, and an answer waits for resume'
      : `until ${new Date(deadline).toISOString().slice(0, 19)}Z`;
  return `send the update approve or reject: ${until}; without an answer: ${byDefault}`;
}

function pointsWithin({ mean, low, high }: Interval): string {
  return `${points(mean)} (${points(low)} to ${points(high)})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function points(share: number): string {
  return `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(2)} points`;
}
