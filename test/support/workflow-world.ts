import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, type WorkflowHandle, WorkflowFailedError, WorkflowNotFoundError } from '@temporalio/client';
import {
  DefaultLogger,
  makeTelemetryFilterString,
  NativeConnection,
  Runtime,
  Worker,
} from '@temporalio/worker';
import { silentLogger } from '../../core/platform/log';
import { registerSearchAttributes } from '../../workers/search-attributes';
import { workflowOptions } from '../../workers/temporal';
import { runToText } from './histories';
import { SITE, smoothRound, type MockActivities } from './smooth-round';
import { readEnvironment } from '../../core/platform/config';
import { NAMES } from './names';

/**
 * The real workflows on the real server, with activities that a test scripts: every path can be walked without training
 * anything. Real activities have tests of their own.
 */

type Activity = (...args: never[]) => Promise<unknown>;

const BUNDLE = join(__dirname, '../../dist/workflow-bundle.js');
/** The one stream worker there is. */
export const STREAM_WORKER = 'stream-1';

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
    .getHandle(NAMES.evaluationId)
    .terminate('left by another test')
    .catch((cause: unknown) => {
      if (!(cause instanceof WorkflowNotFoundError)) throw cause;
    });
}

/** A stream worker is asked for a lease of no length before it has one. */
const IT_IS = { ended: 'run out', partitions: [] } as const;
function asksWhetherItIsThere([lease]: readonly unknown[]): boolean {
  return JSON.stringify(lease) === JSON.stringify({ leaseMillis: 0 });
}

/** What tests have scripted and what was called: one for all activities of a world. */
class Script {
  readonly calls: string[] = [];
  readonly latest = new Map<string, readonly unknown[]>();
  private scripted: Partial<MockActivities> = {};
  private readonly holds = new Map<string, { reach: () => void; released: Promise<void> }>();

  /** Activities for a worker: each notes its call, waits while it is held, and does what the test wants or what is smooth. */
  readonly activities = Object.fromEntries(
    Object.entries<Activity>({ ...smoothRound }).map(([name, smooth]) => [
      name,
      async (...args: never[]): Promise<unknown> => {
        if (name === 'evaluateStream' && asksWhetherItIsThere(args)) return IT_IS;
        this.calls.push(name);
        this.latest.set(name, args);
        const held = this.holds.get(name);
        held?.reach();
        await held?.released;
        const activity: Activity = this.scripted[name as keyof MockActivities] ?? smooth;
        return activity(...args);
      },
    ]),
  );

  script(activities: Partial<MockActivities>): void {
    this.scripted = { ...this.scripted, ...activities };
  }

  hold(name: keyof MockActivities): Hold {
    let reach = (): void => undefined;
    let release = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    this.holds.set(name, { reach, released });
    return {
      reached,
      release: () => {
        this.holds.delete(name);
        release();
      },
    };
  }

  reset(): void {
    this.scripted = {};
    this.holds.clear();
    this.calls.length = 0;
    this.latest.clear();
  }
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
  const script = new Script();
  const workers = await Promise.all(
    [NAMES.roundsQueue, NAMES.analyticsQueue, NAMES.siteQueue(SITE), NAMES.streamQueue(STREAM_WORKER)].map(
      (taskQueue) =>
        Worker.create({
          connection,
          namespace,
          taskQueue,
          activities: script.activities,
          shutdownGraceTime: 0,
          maxHeartbeatThrottleInterval: '100ms',
          ...(taskQueue === NAMES.roundsQueue
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
    calls: script.calls,
    argumentsOf: (name) => script.latest.get(name) ?? [],
    script: (activities) => {
      script.script(activities);
    },
    hold: (name) => script.hold(name),
    reset: () => {
      script.reset();
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
