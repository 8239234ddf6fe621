import { type ActivityOptions } from '@temporalio/workflow';

/**
 * Every limit and time-out of the workflows, each with its reason. Activities fall into classes by what can go wrong
 * with them; a class is one set of options.
 */

/** Errors that trying again cannot mend; their names are the closed codes of core/contracts/errors.ts. */
const HOPELESS = [
  'InvalidInput',
  'InvalidConfig',
  'InvalidData',
  'NotFound',
  'InvalidModel',
  'TooFewUpdates',
  'TooFewWindows',
];

/** A worker that is there takes a task at once; five minutes without one means nobody listens on that queue. */
const NOBODY_LISTENS = '5m';

/** Reads and small writes: seconds at most; a broker or worker that restarts is waited for, with the pauses capped. */
export const QUICK_STEP: ActivityOptions = {
  startToCloseTimeout: '1m',
  scheduleToStartTimeout: NOBODY_LISTENS,
  retry: {
    initialInterval: '200ms',
    backoffCoefficient: 2,
    maximumInterval: '10s',
    nonRetryableErrorTypes: HOPELESS,
  },
};

/**
 * Training and scoring: minutes for a quarter of a million devices. Each chunk heartbeats, so a dead worker costs the
 * heartbeat time-out and not the whole step; a retry goes on behind the last chunk that was sent.
 */
export const SITE_WORK: ActivityOptions = {
  startToCloseTimeout: '1h',
  heartbeatTimeout: '20s',
  scheduleToStartTimeout: NOBODY_LISTENS,
  retry: {
    initialInterval: '500ms',
    maximumInterval: '10s',
    maximumAttempts: 10,
    nonRetryableErrorTypes: HOPELESS,
  },
};

/** Aggregation reads every update of a round from the broker; no chunk of it takes longer than the heartbeat. */
export const AGGREGATION: ActivityOptions = { ...SITE_WORK, startToCloseTimeout: '30m' };

/** Waiting for live windows takes as long as the fleet takes; the activity's own limit is the round's `windowsTimeout`. */
export const EVALUATION_HEARTBEAT = '20s';
/** Beyond `windowsTimeout`: activation before the wait and counting after it. */
export const EVALUATION_SLACK_MS = 5 * 60_000;

/** A batch run reads whole folders; DuckDB reports progress per file. */
export const BATCH_WORK: ActivityOptions = {
  startToCloseTimeout: '6h',
  heartbeatTimeout: '2m',
  scheduleToStartTimeout: NOBODY_LISTENS,
  retry: {
    initialInterval: '1s',
    maximumInterval: '1m',
    maximumAttempts: 5,
    nonRetryableErrorTypes: HOPELESS,
  },
};

/** How often a round that waits for its turn looks again; a round takes seconds to hours. */
export const BUSY_POLL = '5s';

/** Rounds a training run holds in one history before it continues as new: well under Temporal's 51,200 events. */
export const ROUNDS_PER_RUN = 200;
