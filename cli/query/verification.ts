import { type StreamSettings } from '../../core/contracts/settings';
import { followDeployments, type Deployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka, type PartitionOffsets } from '../../core/platform/kafka';
import { sourcePartitions } from '../../core/platform/kafka/source-partitions';
import { silentLogger } from '../../core/platform/log';
import { readDecisions, replayEventLog, type ReplayedPartition } from '../../core/stream/replay/event-log';
import { type Query } from '../../core/warehouse/database/query';
import { storedBounds, type StoredBounds } from '../../core/warehouse/verify/stored-rows';
import { Verification, type VerificationReport } from '../../core/warehouse/verify/verification';
import { dataPlaneEnvironment } from '../system/deployment';
import { LIMITS } from '../shared/limits';
import { endOf, type Step } from '../progress';
import { type Session } from '../system/session';
import { poll } from '../shared/wait';

interface VerifyOptions {
  readonly query: Query;
  /** How long to wait for rows that the tables do not hold yet. */
  readonly waitMillis: number;
  /** Differences that the report lists in full. */
  readonly examples: number;
}

/**
 * Replay the event log up to its present end, and compare every resulting row with the tables. Works on a running system: it
 * waits for rows that the tables do not hold yet, and compares them as well. Rows still absent after the wait are missing.
 */
export async function verifyRows(session: Session, options: VerifyOptions): Promise<VerificationReport> {
  const env = readEnvironment(await dataPlaneEnvironment(session));
  const log = silentLogger();
  const kafka = await connectKafka(env, 'fedloop-verify', log);
  const deployments = await followDeployments(kafka, log);
  try {
    await sourcePartitions(kafka, deployments.eventTopic);
    const ends = await kafka.offsets(deployments.eventTopic);
    const work: Work = { session, options, kafka, deployments, ends };
    const first = await compare(work, 'Replaying the event log', 'stored');
    if (first.report.onTheirWay === 0) return first.report;
    await caughtUp(work, first.led);
    return (await compare(work, 'Replaying once more, for the rows that were on their way', 'all')).report;
  } finally {
    await deployments.close();
    await kafka.disconnect();
  }
}

interface Work {
  readonly session: Session;
  readonly options: VerifyOptions;
  readonly kafka: Kafka;
  readonly deployments: Deployments;
  readonly ends: readonly PartitionOffsets[];
}

/** By partition: the last window that closed, and the last event that was refused. */
interface Led {
  readonly windows: Map<number, number>;
  readonly rejects: Map<number, number>;
}

/**
 * @param must the rows that have to be in the tables: those up to the latest stored at the beginning, or all.
 */
async function compare(
  work: Work,
  title: string,
  must: 'stored' | 'all',
): Promise<{ readonly report: VerificationReport; readonly led: Led }> {
  const { session, options, kafka, deployments, ends } = work;
  const step = session.progress.step(title);
  const led: Led = { windows: new Map(), rejects: new Map() };
  try {
    const settings = deployments.settings();
    const bounds = await storedBounds(options.query, settings.task.windowMicros);
    // Read after the bounds: everything that a stored row depends on was logged before it was written.
    const decisions = await readDecisions(kafka);
    await deployments.sync();
    const verification = new Verification(
      options.query,
      must === 'stored' ? bounds : undefined,
      bounds.expiredBefore,
      options.examples,
      settings.task,
    );
    const partitions = await replayEventLog({
      kafka,
      deployments,
      decisions,
      ends,
      signal: session.signal,
      reader: {
        window(window) {
          led.windows.set(window.partition, window.start);
          return verification.window(window);
        },
        reject({ partition, record: { offset, value }, reason, detail, decidedAt }) {
          led.rejects.set(partition, offset);
          return verification.reject(partition, offset, reason, detail, value, decidedAt);
        },
        progress(events) {
          showProgress(step, events, ends);
        },
      },
    });
    const report = await verification.finish(partitions);
    const { expiredBefore } = await storedBounds(options.query, settings.task.windowMicros);
    if (expiredBefore > bounds.expiredBefore) {
      step.done('rows expired in the meantime');
      return await compare(work, title, must);
    }
    step.done(`${sum(partitions).toLocaleString('en')} events`);
    return { report, led };
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  }
}

/** Wait until the tables hold the rows that follow from the log, or time is up. */
async function caughtUp({ session, options, deployments }: Work, led: Led): Promise<void> {
  const step = session.progress.step('Waiting for rows that are on their way into the tables');
  const settings: StreamSettings = deployments.settings();
  const there = await poll(
    async () =>
      holds(await storedBounds(options.query, settings.task.windowMicros), led) ? true : undefined,
    {
      everyMillis: LIMITS.progressPollMillis,
      timeoutMillis: options.waitMillis,
      signal: session.signal,
    },
  );
  step.done(there === true ? 'they are there' : 'they have not come');
}

function holds(bounds: StoredBounds, led: Led): boolean {
  const reach = (stored: ReadonlyMap<number, number>, wanted: ReadonlyMap<number, number>): boolean =>
    [...wanted].every(([partition, place]) => (stored.get(partition) ?? -Infinity) >= place);
  return (
    reach(bounds.analysis, led.windows) &&
    reach(bounds.evaluations, led.windows) &&
    reach(bounds.rejects, led.rejects)
  );
}

function showProgress(step: Step, events: number, ends: readonly PartitionOffsets[]): void {
  const all = ends.reduce((total, { high }) => total + high, 0);
  step.update(`${events.toLocaleString('en')} of ${all.toLocaleString('en')} events`, events / all);
}

function sum(partitions: readonly ReplayedPartition[]): number {
  return partitions.reduce((total, { counts }) => total + counts.read, 0);
}
