import {
  type ActivityInterfaceFor,
  type ActivityOptions,
  ApplicationFailure,
  proxyActivities,
} from '@temporalio/workflow';
import { type AnalyticsActivities } from '../activities/analytics';
import { type RoundsActivities } from '../activities/rounds';
import { type SiteActivities } from '../activities/site';
import { type SiteName } from '../core/contracts/ids';
import { type FederatedRoundInput } from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { isTimeout } from './failures';
import { ownFleet } from './fleet';
import {
  AGGREGATION,
  CHANGE_BY_HAND,
  CHANGE_OF_MODELS,
  EVALUATION_HEARTBEAT,
  EVALUATION_RETRIES_MS,
  EVALUATION_SLACK_MS,
  LIVE_CHECK,
  MEASUREMENT,
  MUST_COMPLETE,
  MUST_COMPLETE_READING,
  QUICK_STEP,
  SITE_WORK,
  WAIT_FOR_LOCK,
} from './limits';

/** Text for each activity in Temporal's UI. */
type Summaries<Activities> = Readonly<Record<keyof Activities & string, string>>;

/** A task queue and the worker that takes its steps, for the message when there is none. */
interface StepQueue {
  readonly taskQueue: string;
  /** The command that starts one. */
  readonly worker: string;
}

function atRounds(): StepQueue {
  return { taskQueue: ownFleet().roundsQueue, worker: 'fedloop worker rounds' };
}

function atAnalytics(): StepQueue {
  return { taskQueue: ownFleet().analyticsQueue, worker: 'fedloop worker analytics' };
}

function atSite(site: SiteName): StepQueue {
  return { taskQueue: ownFleet().siteQueue(site), worker: `fedloop worker site (with FEDLOOP_SITE=${site})` };
}

/**
 * Activities on one queue, each with its summary. A task that no worker takes within the schedule-to-start time-out fails the
 * workflow with a sentence that names the missing worker.
 */
function stepsAt<Activities>(
  queue: StepQueue,
  options: ActivityOptions,
  summaries: Summaries<Activities>,
): ActivityInterfaceFor<Activities> {
  const proxy = proxyActivities({ ...options, taskQueue: queue.taskQueue });
  // Names and signatures are those of `Activities`: the proxy has a function for every name.
  return Object.fromEntries(
    Object.entries<string>(summaries).map(([name, summary]) => [
      name,
      async (...args: unknown[]): Promise<unknown> => {
        try {
          return await proxy[name]?.executeWithOptions({ summary }, args);
        } catch (thrown) {
          throw isTimeout(thrown, 'SCHEDULE_TO_START') ? missingWorker(queue) : thrown;
        }
      },
    ]),
  ) as ActivityInterfaceFor<Activities>;
}

function missingWorker({ taskQueue, worker }: StepQueue): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'ServerUnavailable',
    message: `no worker took a step from the task queue ${taskQueue} in time: start one with ${worker}`,
    nonRetryable: true,
  });
}

type Quick = Pick<RoundsActivities, 'ask' | 'deployFirstVersion' | 'select' | 'refit' | 'proposeChampion'>;
type Changes = Pick<RoundsActivities, 'deploy' | 'deployRefit' | 'decide'>;

/** Every step of a round. */
export interface RoundSteps {
  readonly rounds: ActivityInterfaceFor<Quick & Changes & Pick<RoundsActivities, 'aggregate' | 'contribute'>>;
  /** One of each, in the order of the round's sites. */
  readonly sites: readonly ({ readonly name: SiteName } & ActivityInterfaceFor<SiteActivities>)[];
  /** Waits for live windows, at most for the time given. */
  evaluation(windowsTimeoutMillis: number): ActivityInterfaceFor<Pick<AnalyticsActivities, 'evaluate'>>;
  readonly mustComplete: ActivityInterfaceFor<
    Pick<RoundsActivities, 'withdraw'> & Pick<AnalyticsActivities, 'feedBack'>
  >;
}

const QUICK_SUMMARIES: Summaries<Quick> = {
  ask: 'the champion and its live accuracy',
  deployFirstVersion: 'deploy v0, the untrained network',
  select: 'share participants and panels over the sites',
  refit: 'refit the output layer from the sites’ sums',
  proposeChampion: 'the champion as what a refit starts from',
};

export function roundSteps(input: FederatedRoundInput): RoundSteps {
  const scheduleToStartTimeout = durationMillis(input.workerTimeout);
  return {
    rounds: {
      ...stepsAt<Quick>(atRounds(), { ...QUICK_STEP, scheduleToStartTimeout }, QUICK_SUMMARIES),
      ...stepsAt<Pick<RoundsActivities, 'aggregate'>>(
        atRounds(),
        { ...AGGREGATION, scheduleToStartTimeout },
        { aggregate: `aggregate the updates with ${input.strategy}` },
      ),
      ...stepsAt<Pick<RoundsActivities, 'contribute'>>(
        atRounds(),
        { ...MEASUREMENT, scheduleToStartTimeout },
        { contribute: 'what sites and devices brought' },
      ),
      ...stepsAt<Changes>(
        atRounds(),
        { ...CHANGE_OF_MODELS, scheduleToStartTimeout },
        {
          deploy: 'deploy the candidates',
          deployRefit: 'deploy the refit, if panel B accepts it',
          decide: 'promote or reject the candidate',
        },
      ),
    },
    sites: input.sites.map((site) => ({
      name: site,
      ...stepsAt<SiteActivities>(
        atSite(site),
        { ...SITE_WORK, scheduleToStartTimeout },
        {
          describeSite: `${site}: how many devices, up to which window`,
          siteReadiness: `${site}: how far on the way to a round`,
          trainLocals: `${site}: train local models`,
          scoreLocals: `${site}: score local models on its panel`,
          sumPanels: `${site}: sums for the refits`,
          scoreProposals: `${site}: proposals on panels B and C`,
        },
      ),
    })),
    evaluation: (windowsTimeoutMillis) =>
      stepsAt<Pick<AnalyticsActivities, 'evaluate'>>(
        atAnalytics(),
        {
          ...QUICK_STEP,
          scheduleToStartTimeout,
          startToCloseTimeout: windowsTimeoutMillis + EVALUATION_SLACK_MS,
          scheduleToCloseTimeout: windowsTimeoutMillis + EVALUATION_SLACK_MS + EVALUATION_RETRIES_MS,
          heartbeatTimeout: EVALUATION_HEARTBEAT,
        },
        { evaluate: 'wait for live windows, compare candidates and champion' },
      ),
    mustComplete: {
      ...stepsAt<Pick<RoundsActivities, 'withdraw'>>(atRounds(), MUST_COMPLETE, {
        withdraw: 'take the round’s candidates out of force',
      }),
      ...stepsAt<Pick<AnalyticsActivities, 'feedBack'>>(atAnalytics(), MUST_COMPLETE_READING, {
        feedBack: 'verdict and error patterns to model-feedback and the tables',
      }),
    },
  };
}

type Told = Pick<RoundsActivities, 'namespaceFacts' | 'tellRun'>;

/**
 * The wait for the round lock (recorded histories name it `waitForTurn`).
 * @param waitMillis how long at most
 */
export function turnSteps(waitMillis: number): ActivityInterfaceFor<Pick<RoundsActivities, 'waitForTurn'>> {
  const options = { ...WAIT_FOR_LOCK, scheduleToCloseTimeout: waitMillis };
  return stepsAt<Pick<RoundsActivities, 'waitForTurn'>>(atRounds(), options, {
    waitForTurn: 'wait until the round that runs has ended',
  });
}

/** Steps of a run whose round is its child: it sends updates on. */
export function lockSteps(): ActivityInterfaceFor<Told> {
  return stepsAt<Told>(atRounds(), CHANGE_BY_HAND, {
    namespaceFacts: 'whether the namespace knows the search attributes',
    tellRun: 'send an update on to the round',
  });
}

type EvaluationSteps = Pick<AnalyticsActivities, 'checkChampion'> & Pick<RoundsActivities, 'rollback'>;

/** The steps of the evaluation between rounds. */
export function evaluationSteps(): ActivityInterfaceFor<EvaluationSteps> {
  return {
    ...stepsAt<Pick<AnalyticsActivities, 'checkChampion'>>(atAnalytics(), LIVE_CHECK, {
      checkChampion: 'champion beside its predecessor and persistence',
    }),
    ...stepsAt<Pick<RoundsActivities, 'rollback'>>(atRounds(), CHANGE_OF_MODELS, {
      rollback: 'take the champion out of service',
    }),
  };
}
