import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Context } from '@temporalio/activity';
import { Client, type WorkflowHandle, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { type AnalyticsActivities } from '../../activities/analytics';
import { type RoundsActivities } from '../../activities/rounds';
import { type SiteActivities } from '../../activities/site';
import { type StreamActivities } from '../../activities/stream';
import { siteNameSchema, versionIdSchema } from '../../core/contracts/ids';
import {
  ANALYTICS_QUEUE,
  EVALUATION_WORKFLOW_ID,
  ROUNDS_QUEUE,
  siteQueue,
  streamQueue,
} from '../../core/contracts/queues';
import { type VersionScore } from '../../core/contracts/rounds';
import { type EvaluateResult, type RoundPlan } from '../../core/contracts/steps';
import { silentLogger } from '../../core/platform/log';
import { registerSearchAttributes } from '../../workers/search-attributes';
import { workflowOptions } from '../../workers/temporal';
import { runToText } from './histories';
import { readEnvironment } from '../../core/platform/config';

/**
 * The real workflows on the real server, with activities that a test scripts: every path can be walked without training
 * anything. Real activities have tests of their own.
 */

export type MockActivities = RoundsActivities & SiteActivities & AnalyticsActivities & StreamActivities;

type Activity = (...args: never[]) => Promise<unknown>;

const BUNDLE = join(__dirname, '../../dist/workflow-bundle.js');
/** The one stream worker there is. */
export const STREAM_WORKER = 'stream-1';
const SITE = siteNameSchema.parse('main');
export const CHAMPION = versionIdSchema.parse('v2');
export const CANDIDATE = versionIdSchema.parse('v3');

export interface WorkflowWorld {
  readonly client: Client;
  /** Names of the activities that were called, in order. */
  readonly calls: string[];
  /** Arguments of the latest call of an activity. */
  argumentsOf(name: keyof MockActivities): readonly unknown[];
  /** Script some activities; the others do what a round without trouble needs. Lasts until the next `reset`. */
  script(activities: Partial<MockActivities>): void;
  /** Keep an activity from returning until the test says so. */
  hold(name: keyof MockActivities): Hold;
  reset(): void;
  close(): Promise<void>;
}

export interface Hold {
  /** Resolves when the activity has been called. */
  readonly reached: Promise<void>;
  release(): void;
}

/** Stream workers of other tests have joined the live evaluation of the server that all share, and are gone by now. */
async function endWhatOthersLeft(client: Client): Promise<void> {
  await client.workflow
    .getHandle(EVALUATION_WORKFLOW_ID)
    .terminate('left by another test')
    .catch((cause: unknown) => {
      if (!(cause instanceof WorkflowNotFoundError)) throw cause;
    });
}

export async function startWorkflowWorld(): Promise<WorkflowWorld> {
  Runtime.install({
    shutdownSignals: [],
    logger: new DefaultLogger('ERROR'),
    // Activities that outlive their cancelled workflow are warned of; here they are meant to.
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';
  await registerSearchAttributes(connection, namespace, silentLogger());
  let scripted: Partial<MockActivities> = {};
  const calls: string[] = [];
  const latest = new Map<string, readonly unknown[]>();
  const holds = new Map<string, { reach: () => void; released: Promise<void> }>();

  const activities = Object.fromEntries(
    Object.entries<Activity>({ ...smoothRound }).map(([name, smooth]) => [
      name,
      async (...args: never[]): Promise<unknown> => {
        calls.push(name);
        latest.set(name, args);
        const held = holds.get(name);
        held?.reach();
        await held?.released;
        const activity: Activity = scripted[name as keyof MockActivities] ?? smooth;
        return activity(...args);
      },
    ]),
  );
  const workers = await Promise.all(
    [ROUNDS_QUEUE, ANALYTICS_QUEUE, siteQueue(SITE), streamQueue(STREAM_WORKER)].map((taskQueue) =>
      Worker.create({
        connection,
        namespace,
        taskQueue,
        activities,
        shutdownGraceTime: 0,
        maxHeartbeatThrottleInterval: '100ms',
        ...(taskQueue === ROUNDS_QUEUE
          ? {
              workflowBundle: { code: readFileSync(BUNDLE, 'utf8') },
              ...workflowOptions(readEnvironment({})),
            }
          : {}),
      }),
    ),
  );
  const client = new Client({ connection, namespace });
  await endWhatOthersLeft(client);
  const running = workers.map((worker) => worker.run());
  return {
    client,
    calls,
    argumentsOf: (name) => latest.get(name) ?? [],
    script(activities) {
      scripted = { ...scripted, ...activities };
    },
    hold(name) {
      let reach = (): void => undefined;
      let release = (): void => undefined;
      const reached = new Promise<void>((resolve) => (reach = resolve));
      const released = new Promise<void>((resolve) => (release = resolve));
      holds.set(name, { reach, released });
      return {
        reached,
        release: () => {
          holds.delete(name);
          release();
        },
      };
    },
    reset() {
      scripted = {};
      holds.clear();
      calls.length = 0;
      latest.clear();
    },
    async close() {
      for (const worker of workers) worker.shutdown();
      await Promise.all(running);
      await connection.close();
    },
  };
}

/**
 * Keep the history of a workflow for the replay tests, when `FEDLOOP_RECORD_HISTORIES` asks for it
 * (`npm run record:histories`).
 */
export async function record(name: string, handle: WorkflowHandle): Promise<void> {
  if (process.env['FEDLOOP_RECORD_HISTORIES'] === undefined) return;
  const path = join(__dirname, '../replay', `${name}.json`);
  await writeFile(path, runToText({ workflowId: handle.workflowId, history: await handle.fetchHistory() }));
}

/** What a workflow failed with, all causes in one line; fails the test when it did not. */
export async function failureOf(handle: WorkflowHandle): Promise<string> {
  try {
    await handle.result();
  } catch (thrown) {
    if (!(thrown instanceof WorkflowFailedError)) throw thrown;
    const messages: string[] = [];
    for (let cause: unknown = thrown; cause instanceof Error; cause = cause.cause)
      messages.push(`${cause.constructor.name}: ${cause.message}`);
    return messages.join(' | ');
  }
  throw new Error(`${handle.workflowId} did not fail`);
}

function scoreOf(version: RoundPlan['champion'], accuracy: number): VersionScore {
  return {
    version,
    evaluations: 300,
    correct: Math.round(300 * accuracy),
    accuracy,
    accuracyCi95: [accuracy - 0.02, accuracy + 0.02],
    bias: 0,
    mae: 0.6,
    skill: 0.3,
    persistenceAccuracy: 0.66,
  };
}

/** What the live windows said of the candidate. */
export function evaluationOf(
  decision: 'promoted' | 'rejected',
  reason = 'better than the champion',
): EvaluateResult {
  return {
    windows: { count: 6, from: 0, until: 150_000_000 },
    scores: [scoreOf(CHAMPION, 0.82), scoreOf(CANDIDATE, decision === 'promoted' ? 0.84 : 0.74)],
    pairedChange: { mean: decision === 'promoted' ? 0.02 : -0.08, low: -0.09, high: 0.03 },
    verdict: { decision, reason },
  };
}

const range = { site: SITE, last: 1, count: 2 };

/** Activities of a round in which nothing goes wrong. */
const smoothRound: MockActivities = {
  ask: () =>
    Promise.resolve({ round: 3, champion: CHAMPION, feedback: null, evidence: [], searchAttributes: true }),
  deployFirstVersion: () => Promise.resolve(versionIdSchema.parse('v0')),
  select: () =>
    Promise.resolve({
      quotas: [{ site: SITE, participants: 'all', panelDevices: 6 }],
      fleet: null,
      trainUntil: 0,
    }),
  aggregate: () =>
    Promise.resolve({
      proposals: ['steady', 'responsive'],
      trained: 42,
      used: 40,
      leftOut: { 'constant-data': 2 },
      selfReportedAccuracy: 0.9,
      localRealAccuracy: 0.8,
      selfReportGap: null,
      contributors: [],
      feedbackUsed: {},
      wantsPanels: true,
    }),
  refit: () => Promise.resolve(['responsive-refitted']),
  deploy: () =>
    Promise.resolve({
      elected: { version: CANDIDATE, role: 'steady' },
      candidates: [CANDIDATE, versionIdSchema.parse('v3-responsive')],
      feedbackUsed: {},
    }),
  decide: ({ evaluation }) => Promise.resolve(evaluation.verdict),
  withdraw: () => Promise.resolve(),
  waitForTurn: () => Promise.resolve(),
  rollback: ({ version, reason }) =>
    Promise.resolve({ champion: CHAMPION, previous: version, changed: true, reason }),
  promote: ({ version, reason }) =>
    Promise.resolve({ champion: version, previous: CHAMPION, changed: true, reason }),
  checkChampion: () => Promise.resolve({ outcome: 'nothing-to-judge', champion: CHAMPION }),
  describeSite: () => Promise.resolve({ site: SITE, devices: 60, latestWindow: 0 }),
  trainLocals: () =>
    Promise.resolve({
      ...range,
      trained: 42,
      leftOut: { 'constant-data': 2 },
      seconds: 0.1,
      feedbackUsed: {},
    }),
  scoreLocals: () => Promise.resolve(range),
  sumPanels: () => Promise.resolve(['steady', 'responsive']),
  scoreProposals: (_, names) => Promise.resolve(names),
  evaluate: () => Promise.resolve(evaluationOf('promoted')),
  feedBack: () => Promise.resolve(),
  async evaluateStream() {
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat({ partitions: [] });
    }, 50);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(timer);
    }
  },
  runBatch: () =>
    Promise.resolve({
      files: { counted: 2, unchanged: 0, removed: 0 },
      rows: 10,
      rejectedRows: 0,
      results: 4,
      seconds: 0.1,
    }),
};
