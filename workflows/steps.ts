import {
  ActivityFailure,
  type ActivityInterfaceFor,
  type ActivityOptions,
  type ApplicationFailure,
  proxyActivities,
  TimeoutFailure,
} from '@temporalio/workflow';
import { type AnalyticsActivities } from '../activities/analytics';
import { type RoundsActivities } from '../activities/rounds';
import { type SiteActivities } from '../activities/site';
import { type SiteName } from '../core/contracts/ids';
import { ANALYTICS_QUEUE, ROUNDS_QUEUE, siteQueue } from '../core/contracts/queues';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { runFailure } from './input';
import {
  AGGREGATION,
  CERTAIN_READING,
  CERTAIN_STEP,
  CHANGE_OF_MODELS,
  EVALUATION_HEARTBEAT,
  EVALUATION_SLACK_MS,
  LIVE_CHECK,
  QUICK_STEP,
  SITE_WORK,
  WAIT_FOR_TURN,
} from './limits';

/** What a step of each kind is called in Temporal's UI. */
type Summaries<Activities> = Readonly<Record<keyof Activities & string, string>>;

/** Which worker takes the steps of a queue, for the message when none does. */
interface Taker {
  readonly taskQueue: string;
  /** The command that starts one. */
  readonly worker: string;
}

const AT_ROUNDS: Taker = { taskQueue: ROUNDS_QUEUE, worker: 'fedloop worker rounds' };
const AT_ANALYTICS: Taker = { taskQueue: ANALYTICS_QUEUE, worker: 'fedloop worker analytics' };

function atSite(site: SiteName): Taker {
  return { taskQueue: siteQueue(site), worker: `fedloop worker site (with FEDLOOP_SITE=${site})` };
}

/**
 * Activities on one queue, each with its summary. A task that nobody takes within the schedule-to-start time-out fails the
 * workflow with a sentence that says which worker is missing.
 */
export function stepsAt<Activities>(
  taker: Taker,
  options: ActivityOptions,
  summaries: Summaries<Activities>,
): ActivityInterfaceFor<Activities> {
  const proxy = proxyActivities({ ...options, taskQueue: taker.taskQueue });
  // Names and signatures are those of `Activities`: the proxy has a function for whatever name it is asked for.
  return Object.fromEntries(
    Object.entries<string>(summaries).map(([name, summary]) => [
      name,
      async (...args: unknown[]): Promise<unknown> => {
        try {
          return await proxy[name]?.executeWithOptions({ summary }, args);
        } catch (thrown) {
          throw nobodyListens(thrown) ? missingWorker(taker) : thrown;
        }
      },
    ]),
  ) as ActivityInterfaceFor<Activities>;
}

function nobodyListens(thrown: unknown): boolean {
  return (
    thrown instanceof ActivityFailure &&
    thrown.cause instanceof TimeoutFailure &&
    thrown.cause.timeoutType === 'SCHEDULE_TO_START'
  );
}

function missingWorker({ taskQueue, worker }: Taker): ApplicationFailure {
  return runFailure(
    'ServerUnavailable',
    `no worker took a step from the task queue ${taskQueue} in time: start one with ${worker}`,
  );
}

type Quick = Pick<RoundsActivities, 'ask' | 'deployFirstVersion' | 'select' | 'refit'>;
type Changes = Pick<RoundsActivities, 'deploy' | 'decide'>;

/** Every step that a round can take. */
export interface RoundSteps {
  readonly rounds: ActivityInterfaceFor<Quick & Changes & Pick<RoundsActivities, 'aggregate'>>;
  /** One of each, in the order of the round's sites. */
  readonly sites: readonly ({ readonly name: SiteName } & ActivityInterfaceFor<SiteActivities>)[];
  /** Waits for live windows no longer than it is told. */
  evaluation(windowsTimeout: string): ActivityInterfaceFor<Pick<AnalyticsActivities, 'evaluate'>>;
  readonly certain: ActivityInterfaceFor<
    Pick<RoundsActivities, 'withdraw'> & Pick<AnalyticsActivities, 'feedBack'>
  >;
}

export function roundSteps(input: FederatedRoundInput): RoundSteps {
  const scheduleToStartTimeout = durationMillis(input.workerTimeout);
  return {
    rounds: {
      ...stepsAt<Quick>(
        AT_ROUNDS,
        { ...QUICK_STEP, scheduleToStartTimeout },
        {
          ask: 'who is champion, and what the live stream says of it',
          deployFirstVersion: 'deploy v0, the untrained network',
          select: 'share participants and panels over the sites',
          refit: 'refit the output layer from the sites’ sums',
        },
      ),
      ...stepsAt<Pick<RoundsActivities, 'aggregate'>>(
        AT_ROUNDS,
        { ...AGGREGATION, scheduleToStartTimeout },
        { aggregate: `aggregate the updates with ${input.strategy}` },
      ),
      ...stepsAt<Changes>(
        AT_ROUNDS,
        { ...CHANGE_OF_MODELS, scheduleToStartTimeout },
        { deploy: 'deploy the candidates', decide: 'promote or reject the candidate' },
      ),
    },
    sites: input.sites.map((site) => ({
      name: site,
      ...stepsAt<SiteActivities>(
        atSite(site),
        { ...SITE_WORK, scheduleToStartTimeout },
        {
          describeSite: `${site}: how many devices, up to which window`,
          trainLocals: `${site}: train local models`,
          scoreLocals: `${site}: score local models on its panel`,
          sumPanels: `${site}: sums for the refits`,
          scoreProposals: `${site}: proposals on panels B and C`,
        },
      ),
    })),
    evaluation: (windowsTimeout) =>
      stepsAt<Pick<AnalyticsActivities, 'evaluate'>>(
        AT_ANALYTICS,
        {
          ...QUICK_STEP,
          scheduleToStartTimeout,
          startToCloseTimeout: durationMillis(windowsTimeout) + EVALUATION_SLACK_MS,
          heartbeatTimeout: EVALUATION_HEARTBEAT,
        },
        { evaluate: 'wait for live windows, compare candidates and champion' },
      ),
    certain: {
      ...stepsAt<Pick<RoundsActivities, 'withdraw'>>(AT_ROUNDS, CERTAIN_STEP, {
        withdraw: 'take the round’s candidates out of force',
      }),
      ...stepsAt<Pick<AnalyticsActivities, 'feedBack'>>(AT_ANALYTICS, CERTAIN_READING, {
        feedBack: 'verdict and error patterns to model-feedback and the tables',
      }),
    },
  };
}

/** Watches the round that runs, for one that waits for its turn. */
export function turnSteps(): ActivityInterfaceFor<Pick<RoundsActivities, 'waitForTurn'>> {
  return stepsAt<Pick<RoundsActivities, 'waitForTurn'>>(AT_ROUNDS, WAIT_FOR_TURN, {
    waitForTurn: 'wait until the round that runs has ended',
  });
}

type EvaluationSteps = Pick<AnalyticsActivities, 'checkChampion'> & Pick<RoundsActivities, 'rollback'>;

/** What the evaluation does between rounds. */
export function evaluationSteps(): ActivityInterfaceFor<EvaluationSteps> {
  return {
    ...stepsAt<Pick<AnalyticsActivities, 'checkChampion'>>(AT_ANALYTICS, LIVE_CHECK, {
      checkChampion: 'champion beside its predecessor and persistence',
    }),
    ...stepsAt<Pick<RoundsActivities, 'rollback'>>(AT_ROUNDS, CHANGE_OF_MODELS, {
      rollback: 'take the champion out of service',
    }),
  };
}
