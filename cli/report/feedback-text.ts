import { type FeedbackUsedRow } from './queries/rounds';
import { type TargetWords } from '../../core/contracts/task';
import { counted, percent, points } from '../shared/format';
import { inUnit, signedError } from '../shared/quantities';

type Used = FeedbackUsedRow['feedback_used'];

/** The feedback that a round got and what it did, as sentences. Fields without a sentence appear by name and value. */
interface ActionText {
  readonly feedback: readonly string[];
  readonly done: readonly string[];
}

interface Phrase {
  readonly kind: keyof ActionText;
  /** @returns null for a field that another one's sentence mentions. */
  readonly text: (value: string | number | boolean, used: Used, target: TargetWords) => string | null;
}

const number = (value: string | number | boolean, format: (value: number) => string): string =>
  typeof value === 'number' ? format(value) : String(value);

/** A reason as it was recorded, with real minus signs. */
function withMinus(reason: string | number | boolean): string {
  return String(reason).replace(/-(?=\d)/g, '−');
}

function refitText(
  candidate: string,
  outcome: string | number | boolean,
  share: Used[string] | undefined,
): string {
  const size = typeof share === 'number' ? ` (${percent(share)} of its step)` : '';
  return `the refit of the ${candidate} candidate’s output layer was ${String(outcome)}${size}`;
}

/** Nothing is said of none. */
function refused(what: string): Phrase {
  return {
    kind: 'done',
    text: (value) =>
      value === 0
        ? null
        : `${number(value, (count) => counted(count, what))} of sites refused: nobody can have measured that`,
  };
}

/** Sentences in reading order. */
const PHRASES: Readonly<Record<string, Phrase>> = {
  champion: { kind: 'feedback', text: () => null },
  champion_accuracy: {
    kind: 'feedback',
    text: (value, { champion }) =>
      `${String(champion)} was right in ${number(value, (share) => percent(share))} of its forecasts`,
  },
  champion_error_in_tolerances: {
    kind: 'feedback',
    text: (value) => `it erred by ${number(value, (error) => error.toFixed(2))} tolerances on average`,
  },
  champion_bias: {
    kind: 'feedback',
    text: (value, _used, target) =>
      `its bias was ${inUnit(
        number(value, (bias) => signedError(bias, target)),
        target,
      )}`,
  },
  tendency: { kind: 'feedback', text: (value) => `anomalies: ${String(value)}` },
  weakest_regime: { kind: 'feedback', text: (value) => `it was weakest in: ${String(value)}` },
  emphasis: {
    kind: 'done',
    text: (value, { edge_width: width }) =>
      `training weighed ${String(value)}${typeof width === 'number' ? `, in a band ${width.toFixed(2)} tolerances wide` : ''}`,
  },
  edge_width: { kind: 'done', text: () => null },
  real_weights: {
    kind: 'done',
    text: (value, { effective_local_models: equal }) =>
      value === true
        ? `local models were weighed by their real accuracy on panels${typeof equal === 'number' ? `, which amounts to ${counted(equal, 'equal model')}` : ''}`
        : 'local models were not weighed by their real accuracy',
  },
  effective_local_models: { kind: 'done', text: () => null },
  local_models_dropped: {
    kind: 'done',
    text: (value) =>
      `${number(value, (count) => counted(count, 'local model'))} left out, worse on panels than the median model`,
  },
  strategy_sha256: {
    kind: 'done',
    text: (value) => `the strategy was a module of the operator’s own: SHA-256 ${String(value)}`,
  },
  updates_clipped: {
    kind: 'done',
    text: (value) => `${number(value, (count) => counted(count, 'update'))} clipped to the usual length`,
  },
  epsilon_spent: {
    kind: 'done',
    text: (value, { clip_norm: norm }) =>
      `updates were clipped to ${number(norm ?? '', (length) => length.toPrecision(3))}, and noise was added: ε spent by all rounds so far is ${number(value, (epsilon) => epsilon.toFixed(3))}`,
  },
  clip_norm: { kind: 'done', text: () => null },
  impossible_scores: refused('score'),
  impossible_refit_sums: refused('refit sum'),
  impossible_panel_scores: refused('panel score'),
  steady_refit: {
    kind: 'done',
    text: (value, used) => refitText('steady', value, used['steady_refit_share']),
  },
  steady_refit_share: { kind: 'done', text: () => null },
  refit: { kind: 'done', text: (value, used) => refitText('responsive', value, used['refit_share']) },
  refit_share: { kind: 'done', text: () => null },
  panel_gate: {
    kind: 'done',
    text: (value, { panel_difference: difference }) =>
      `panel gate before deployment: ${String(value)}${typeof difference === 'number' ? ` (${points(difference)} points)` : ''}`,
  },
  panel_difference: { kind: 'done', text: () => null },
  elected_by: {
    kind: 'done',
    text: (value) => `steady or responsive, by evidence: ${withMinus(value)}`,
  },
  linear: {
    kind: 'done',
    text: (value, { linear_share: share }) =>
      `the linear model or the network, by evidence: ${withMinus(value)}${typeof share === 'number' ? `; ${percent(share)} of it was fitted anew` : ''}`,
  },
  linear_share: { kind: 'done', text: () => null },
};

export function describeAction(used: Used, target: TargetWords): ActionText {
  const feedback: string[] = [];
  const done: string[] = [];
  const lists = { feedback, done };
  const order = Object.keys(PHRASES);
  const known = order.filter((name) => name in used);
  const unknown = Object.keys(used).filter((name) => !(name in PHRASES));
  for (const name of [...known, ...unknown]) {
    const value = used[name];
    if (value === null || value === undefined) continue;
    const phrase = PHRASES[name];
    if (phrase === undefined) done.push(`${name.replaceAll('_', ' ')}: ${String(value)}`);
    else {
      const sentence = phrase.text(value, used, target);
      if (sentence !== null) lists[phrase.kind].push(sentence);
    }
  }
  return { feedback, done };
}
