import { type WorkflowHandle } from '@temporalio/client';
import { slopeOf } from '../support/slope';
import { payloadSizes, type RoundCost } from './history';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** What one run of `federatedTraining` cost Temporal: a training of many rounds is several runs, each the continuation of the one before. */
export interface TrainingRunCost {
  readonly events: number;
  readonly payloadBytes: number;
  /** Input of the run that continues this one: what a training takes along. Null for the last run. */
  readonly carriedBytes: number | null;
}

export function trainingRunCostOf(history: History): TrainingRunCost {
  const events = history.events ?? [];
  const next = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.input;
  return {
    events: events.length,
    payloadBytes: sumOf(payloadSizes(events)),
    carriedBytes: next === null || next === undefined ? null : sumOf(payloadSizes(next)),
  };
}

/** How a figure of a round changes over a training. */
export interface Growth {
  readonly name: string;
  /** Means of the first and of the last ten rounds. */
  readonly first: number;
  readonly last: number;
  /** Of the straight line through all rounds (least squares), per round. */
  readonly slope: number;
}

/** Rounds at each end whose means are compared. */
const ROUNDS_OF_AN_END = 10;
/** The first round makes v0 and finds caches cold: it would hide growth. */
const ROUNDS_LEFT_OUT = 1;

/** Growth of all figures of a round; none where there are too few rounds to speak of any. */
export function growthOf(all: readonly RoundCost[]): readonly Growth[] {
  const rounds = all.slice(ROUNDS_LEFT_OUT);
  if (rounds.length < 2 * ROUNDS_OF_AN_END) return [];
  const steps = [...new Set(rounds.flatMap(({ seconds }) => Object.keys(seconds.steps)))];
  const figures: readonly (readonly [string, (cost: RoundCost) => number])[] = [
    ['events', ({ events }) => events],
    ['payload bytes', ({ payloads }) => payloads.bytes],
    ['largest payload, bytes', ({ payloads }) => payloads.largestBytes],
    ['seconds', ({ seconds }) => seconds.total],
    ['seconds between steps', ({ seconds }) => seconds.betweenSteps],
    ...steps.map((name) => [`seconds of ${name}`, stepSeconds(name)] as const),
  ];
  return figures.map(([name, of]) => {
    const values = rounds.map(of);
    return {
      name,
      first: meanOf(values.slice(0, ROUNDS_OF_AN_END)),
      last: meanOf(values.slice(-ROUNDS_OF_AN_END)),
      slope: slopeOf(values.map((value, at) => ({ at, value }))),
    };
  });
}

const stepSeconds =
  (name: string) =>
  ({ seconds }: RoundCost): number =>
    seconds.steps[name] ?? 0;

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;
