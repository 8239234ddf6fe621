import { type WorkflowHandle } from '@temporalio/client';

type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;
type HistoryEvent = NonNullable<History['events']>[number];

/** What one round cost Temporal, read from its history. */
export interface RoundCost {
  readonly events: number;
  /** What Temporal Cloud would count as actions: starts, activities, timers, upserts, updates and signals. */
  readonly actions: number;
  readonly payloads: { readonly count: number; readonly bytes: number; readonly largestBytes: number };
  readonly seconds: {
    readonly total: number;
    /** Training, aggregation, and the wait for live windows: the round's steps "train locals", "aggregate" and "evaluate". */
    readonly work: number;
    /** Of that, what "aggregate" does at the sites and after them: sums for refits, refits, scoring proposals. */
    readonly panels: number;
    /** Everything else: the other steps, and what lies between activities. */
    readonly share: number;
    /** Of that, time in which no activity ran at all: Temporal's own part. */
    readonly betweenSteps: number;
    /** From begin to end of each step, in the order in which they began. */
    readonly steps: Readonly<Record<string, number>>;
  };
}

/** The step "aggregate" after its strategy has made proposals. */
const PANELS = new Set(['sumPanels', 'refit', 'scoreProposals']);
/** What Temporal is there for: the share of the others is what it and the bookkeeping cost. */
const WORK = new Set(['trainLocals', 'aggregate', ...PANELS, 'evaluate']);

interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

export function costOf(history: History): RoundCost {
  const events = history.events ?? [];
  const times = events.map(timeOf);
  const total = (times.at(-1) ?? 0) - (times[0] ?? 0);
  const spans = activitySpans(events);
  const work = covered(spans.filter(({ name }) => WORK.has(name)));
  const sizes = payloadSizes(events);
  const steps = new Map<string, number>();
  for (const { name, begin, end } of spans.toSorted((one, other) => one.begin - other.begin))
    steps.set(name, (steps.get(name) ?? 0) + (end - begin) / 1_000);
  return {
    events: events.length,
    actions: events.filter(isAction).length,
    payloads: {
      count: sizes.length,
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      largestBytes: Math.max(0, ...sizes),
    },
    seconds: {
      total: total / 1_000,
      work: work / 1_000,
      panels: covered(spans.filter(({ name }) => PANELS.has(name))) / 1_000,
      share: (total - work) / 1_000,
      betweenSteps: (total - covered(spans)) / 1_000,
      steps: Object.fromEntries(steps),
    },
  };
}

function activitySpans(events: readonly HistoryEvent[]): Span[] {
  const byId = new Map(events.map((event) => [String(event.eventId), event]));
  return events.flatMap((event) => {
    const completed = event.activityTaskCompletedEventAttributes;
    if (completed === null || completed === undefined) return [];
    const scheduled = byId.get(String(completed.scheduledEventId));
    const started = byId.get(String(completed.startedEventId));
    const name = scheduled?.activityTaskScheduledEventAttributes?.activityType?.name;
    if (started === undefined || typeof name !== 'string') return [];
    return [{ name, begin: timeOf(started), end: timeOf(event) }];
  });
}

/** Milliseconds that at least one of the spans covers. */
function covered(spans: readonly Span[]): number {
  let sum = 0;
  let until = -Infinity;
  for (const { begin, end } of [...spans].sort((one, other) => one.begin - other.begin)) {
    sum += Math.max(0, end - Math.max(begin, until));
    until = Math.max(until, end);
  }
  return sum;
}

function isAction(event: HistoryEvent): boolean {
  return [
    event.workflowExecutionStartedEventAttributes,
    event.activityTaskScheduledEventAttributes,
    event.timerStartedEventAttributes,
    event.upsertWorkflowSearchAttributesEventAttributes,
    event.workflowExecutionUpdateAcceptedEventAttributes,
    event.workflowExecutionSignaledEventAttributes,
    event.startChildWorkflowExecutionInitiatedEventAttributes,
  ].some((attributes) => attributes !== null && attributes !== undefined);
}

/** Bytes of every payload anywhere in the events. */
export function payloadSizes(value: unknown): number[] {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return [];
  if ('data' in value && 'metadata' in value && value.data instanceof Uint8Array) return [value.data.length];
  return Object.values(value).flatMap(payloadSizes);
}

/** Milliseconds since 1970. */
function timeOf({ eventTime }: HistoryEvent): number {
  return Number(eventTime?.seconds ?? 0) * 1_000 + (eventTime?.nanos ?? 0) / 1_000_000;
}
