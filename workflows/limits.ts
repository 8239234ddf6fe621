import { ActivityCancellationType, type ActivityOptions } from '@temporalio/workflow';
import { NON_RETRYABLE } from '../core/contracts/errors';
import { durationMillis } from '../core/contracts/settings';

/**
 * Every limit, time-out and retry policy of the workflows, each with its reason. Activities fall into classes by what can go wrong
 * with them; a class is one set of options. How long a task may wait for a worker is the round's own `workerTimeout`.
 */

/**
 * How long a step is tried again while a broker, a worker or a disk is away: over a weekend, but not for ever. The alert `FedloopStepKeepsFailing` comes within
 * minutes.
 */
export const STEP_DEADLINE = '3d';

/** How long one try at a step waits for brokers that are away. */
const BROKERS_AWAY_MS = durationMillis('1d');

/** Reads and small writes: seconds at most; a broker or worker that restarts is waited for, with the pauses capped. */
export const QUICK_STEP: ActivityOptions = {
  startToCloseTimeout: '1m',
  scheduleToCloseTimeout: STEP_DEADLINE,
  retry: {
    initialInterval: '200ms',
    backoffCoefficient: 2,
    maximumInterval: '10s',
    nonRetryableErrorTypes: [...NON_RETRYABLE],
  },
};

/**
 * Deploying and deciding change which version serves. A cancellation waits until such a step has ended, so that the round then
 * withdraws what the step really did.
 */
export const CHANGE_OF_MODELS: ActivityOptions = {
  ...QUICK_STEP,
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A person waits for it, and learns after a minute that no worker takes it. */
export const CHANGE_BY_HAND: ActivityOptions = { ...CHANGE_OF_MODELS, scheduleToStartTimeout: '1m' };

/** Longer than any step before it: what it puts right must not stay as it is. */
const MUST_COMPLETE_DEADLINE = '30d';

/** A step that must complete: it waits a month for a worker. */
export const MUST_COMPLETE: ActivityOptions = {
  ...QUICK_STEP,
  scheduleToCloseTimeout: MUST_COMPLETE_DEADLINE,
};

/** The same, of a step that reads the tables device by device: seconds for thousands of devices, minutes for a million. */
export const MUST_COMPLETE_READING: ActivityOptions = {
  ...MUST_COMPLETE,
  startToCloseTimeout: '1h',
  heartbeatTimeout: '1m',
};

/**
 * Training and scoring: minutes for a quarter of a million devices, and a day of the broker being away. They heartbeat, so a dead worker costs
 * the heartbeat time-out and not the whole step; a retry starts after the last chunk that was sent.
 */
export const SITE_WORK: ActivityOptions = {
  startToCloseTimeout: durationMillis('1h') + BROKERS_AWAY_MS,
  scheduleToCloseTimeout: STEP_DEADLINE,
  heartbeatTimeout: '20s',
  retry: {
    initialInterval: '500ms',
    maximumInterval: '10s',
    maximumAttempts: 10,
    nonRetryableErrorTypes: [...NON_RETRYABLE],
  },
};

/** Aggregation reads every update of a round from the broker: half an hour at most, and a day of the broker being away. */
export const AGGREGATION: ActivityOptions = {
  ...SITE_WORK,
  startToCloseTimeout: durationMillis('30m') + BROKERS_AWAY_MS,
};

/** It reads the updates once more. The round goes on without it, so that it is not tried for days. */
export const MEASUREMENT: ActivityOptions = {
  ...SITE_WORK,
  startToCloseTimeout: '30m',
  scheduleToCloseTimeout: '1h',
};

/** Waiting for live windows takes as long as the fleet takes; the activity's own limit is the round's `windowsTimeout`. */
export const EVALUATION_HEARTBEAT = '20s';
/**
 * Beyond `windowsTimeout`: activation before the wait, counting after it, and a day of the broker being away, which `windowsTimeout` leaves out.
 * Heartbeats tell a worker that has gone within seconds.
 */
export const EVALUATION_SLACK_MS = BROKERS_AWAY_MS;
/** Beyond that, for tries of workers that go: as other steps have it. */
export const EVALUATION_RETRIES_MS = durationMillis(STEP_DEADLINE);

/** A round that waits for the round lock runs one activity that watches the other round; it starts again every hour, until the round's own `roundTimeout`. */
export const WAIT_FOR_LOCK: ActivityOptions = {
  startToCloseTimeout: '1h',
  heartbeatTimeout: '20s',
  retry: { initialInterval: '1s', maximumInterval: '10s' },
};

/** A batch run reads whole folders; DuckDB reports progress per file. */
export const BATCH_WORK: ActivityOptions = {
  startToCloseTimeout: '6h',
  heartbeatTimeout: '2m',
  // A worker that is there takes a task at once; after five minutes without one there is none on that queue.
  scheduleToStartTimeout: '5m',
  retry: {
    initialInterval: '1s',
    maximumInterval: '1m',
    maximumAttempts: 5,
    nonRetryableErrorTypes: [...NON_RETRYABLE],
  },
};

/** Rounds of a training run in one history before it continues as new: about 1,000 of Temporal's 51,200 events. */
export const ROUNDS_PER_RUN = 50;

/** Rounds that the live view of a training run lists: what fits on a screen. */
export const ROUNDS_SHOWN = 12;

/** A lease of the evaluation is renewed every hour, so that its history shows which worker evaluated when. */
export const LEASE_MILLIS = 60 * 60_000;

/** Stream workers of one evaluation: as many as a topic can have partitions that are worth a worker, and what one history can hold. */
export const MAX_LEASES = 1_000;

/**
 * A worker that is there takes its lease at once, and heartbeats every five seconds. One that fails joins again by itself, so a lease
 * is never retried. A cancellation waits until the worker has drained.
 */
export const LEASE: ActivityOptions = {
  startToCloseTimeout: LEASE_MILLIS + 5 * 60_000,
  scheduleToStartTimeout: '1m',
  heartbeatTimeout: '30s',
  retry: { maximumAttempts: 1 },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
};

/** A live check reads the tables. One that no worker takes, or that takes longer, fails; the next check covers its windows. */
export const LIVE_CHECK: ActivityOptions = {
  ...QUICK_STEP,
  scheduleToCloseTimeout: '2m',
};

/** Events of one run of the evaluation before it continues as new: a day of checks by the minute is about 16,000. */
export const EVENTS_PER_RUN = 4_000;

/** Events that the live view and the query `progress` list: what fits on a screen. */
export const NEWS_KEPT = 20;

/** Changes of settings that the query `settings` lists, and that a workflow takes along when it continues as new. */
export const CHANGES_KEPT = 20;

/**
 * A round that waits for the fleet looks eight times a window, so that it begins at most an eighth of a window late: 256 looks for the 32
 * windows of a first round.
 */
export const READINESS_LOOKS_A_WINDOW = 8;
/** Of windows so short that looks would cost more than the wait. */
export const MIN_READINESS_PAUSE_MS = 1_000;
/**
 * Where no window comes, as before devices are connected, looks become rarer after two windows: up to ten minutes apart, and to a quarter of
 * the time that the missing windows will take, so that the round is not late when they come.
 */
export const READINESS_LOOKS_BEFORE_SLOWER = 16;
export const MAX_READINESS_PAUSE_MS = 10 * 60_000;
export const MAX_PAUSE_OF_MISSING = 0.25;
