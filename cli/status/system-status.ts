import { z } from 'zod';
import { decisionSchema, findingSchema } from '../../core/contracts/decisions';
import { type TargetWords } from '../../core/contracts/task';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { type Query } from '../../core/warehouse/database/query';
import { queryTarget } from '../../core/warehouse/queries/target';
import { splitDevicesSentence } from '../../core/warehouse/verify/split-devices';
import { queryWorker } from '../query/query-worker';
import { environmentIn } from '../system/deployment';
import { LIMITS } from '../shared/limits';
import { stateOf, type ProcessState } from '../processes/identity';
import { analyticsOf, type RunningSystem, type SystemProcess } from '../system/running';
import { missingWorker } from '../temporal/missing-worker';
import { readRetries } from '../temporal/retries';
import { listSchedules } from '../temporal/schedules';
import { queryPause, queryRunningRound, describeStep, type ShownProgress } from '../temporal/rounds-progress';
import { withTemporal } from '../servers/temporal-client';
import { type Session } from '../system/session';
import {
  readFleetTables,
  readReadiness,
  readStreamPosition,
  type FleetTables,
  type RoundReadiness,
  type StreamPosition,
} from './fleet-status';
import { readResults, type ResultsSoFar } from './results-status';
import { readWaitingWorkers, type WaitingWorker } from './worker-health';

const versionRow = z.object({
  model_version: z.string(),
  stage: z.string().nullable(),
  windows: z.number(),
  evaluations: z.number(),
  accuracy: z.number(),
  persistence_accuracy: z.number(),
  bias: z.number(),
  skill: z.number().nullable(),
});
type VersionLine = z.infer<typeof versionRow>;

const roundRow = z.object({
  round: z.number(),
  model_version: z.string(),
  decision: decisionSchema,
  finding: findingSchema.nullable(),
  reason: z.string(),
});

const splitRow = z.object({ device_id: z.string(), devices: z.number() });

/** Programs that a status queries. */
type Source = 'the analytics worker' | 'the site worker' | 'Temporal' | 'Kafka';

/** A process of the system, as it is now. */
export interface ShownProcess extends Pick<SystemProcess, 'name' | 'pid' | 'restarts' | 'trouble'> {
  readonly up: boolean;
  readonly state: ProcessState;
}

/** State of a running system. Parts whose program does not answer in time are null, and the program is in `silent`. */
export interface SystemStatus {
  readonly system: RunningSystem;
  readonly processes: readonly ShownProcess[];
  /** What the fleet forecasts, in its own words. */
  readonly target: TargetWords | null;
  readonly champion: VersionLine | null;
  /** Every version that was measured, oldest first. */
  readonly versions: readonly VersionLine[];
  readonly lastRound: z.infer<typeof roundRow> | null;
  /** The round under way. */
  readonly round: ShownProgress | null;
  /** Why no worker takes the next task of a round, and what to do, in one sentence; null while one would. */
  readonly missingWorker: string | null;
  /** Who has paused the live checks of the champion, and why; null while they go on. */
  readonly checksPaused: string | null;
  /** What workflows try again and again, in a sentence each. */
  readonly retries: readonly string[];
  /** Workers that are alive and cannot go on, and why. */
  readonly waiting: readonly WaitingWorker[];
  /** That some devices send to more than one partition, in one sentence; null while none does. */
  readonly splitDevices: string | null;
  /** Events that the stream workers have not read yet. */
  readonly lag: number | null;
  readonly stream: StreamPosition | null;
  /** How far the fleet is on its way to a round. */
  readonly readiness: RoundReadiness | null;
  /** Devices that are not forecast and events put aside; null where only the scoreboard was wanted. */
  readonly fleet: FleetTables | null;
  /** What the results of the rounds say of the networks; null where only the scoreboard was wanted, or where it took too long. */
  readonly results: ResultsSoFar | null;
  readonly silent: readonly Source[];
  /** ISO 8601; null when no schedule of this fleet will start anything. */
  readonly nextScheduled: { readonly schedule: string; readonly at: string } | null;
}

/**
 * Query all programs at once.
 * @param about `scoreboard` leaves out what takes long for large fleets, for a caller that looks every second.
 */
export async function readSystemStatus(
  session: Session,
  system: RunningSystem,
  about: 'everything' | 'scoreboard',
): Promise<SystemStatus> {
  const processes = processesOf(system);
  const analytics = await analyticsOf(system, session.env);
  const env = await environmentIn(session, system);
  const query = analytics === undefined ? undefined : queryWorker(analytics);
  const all = about === 'everything';
  const [tables, control, stream, readiness, fleet, results, waiting] = await Promise.all([
    inTime(query === undefined ? Promise.resolve(null) : readTables(query)),
    inTime(readTemporal(env)),
    inTime(withKafka(env, (kafka) => readStreamPosition(system, kafka))),
    inTime(all ? readReadiness(system) : Promise.resolve(null)),
    inTime(all && query !== undefined ? readFleetTables(query) : Promise.resolve(null)),
    inTime(all && query !== undefined ? readResults(query) : Promise.resolve(null)),
    inTime(all ? readWaitingWorkers(system) : Promise.resolve([])),
  ]);
  const versions = tables?.versions ?? [];
  return {
    system,
    processes,
    versions,
    target: tables?.target ?? null,
    champion: versions.find(({ stage }) => stage === 'champion') ?? null,
    lastRound: tables?.lastRound ?? null,
    splitDevices: tables?.splitDevices ?? null,
    round: control?.round ?? null,
    missingWorker: control?.missingWorker ?? null,
    checksPaused: control?.checksPaused ?? null,
    retries: control?.retries ?? [],
    waiting: waiting ?? [],
    nextScheduled: control?.nextScheduled ?? null,
    lag: stream?.lag ?? null,
    stream,
    readiness,
    fleet,
    results,
    silent: [
      ...(tables === null ? (['the analytics worker'] as const) : []),
      ...(all && readiness === null ? (['the site worker'] as const) : []),
      ...(control === null ? (['Temporal'] as const) : []),
      ...(stream === null ? (['Kafka'] as const) : []),
    ],
  };
}

/** The command that keeps it up, and all that it has started. */
function processesOf({ pid, started, processes }: RunningSystem): readonly ShownProcess[] {
  const keeper = { name: 'daemon', pid, started, restarts: 0, trouble: null };
  return [keeper, ...processes].map(({ started, ...known }) => {
    const state = known.trouble === null ? stateOf({ pid: known.pid, started }) : 'gone';
    return { ...known, up: state === 'running', state };
  });
}

/** Text for a missing part: `none`, or that its source has not answered in time: it may be busy. */
export function nothingOf(status: SystemStatus, source: Source, none: string): string {
  return status.silent.includes(source)
    ? `unknown: ${source} has not answered within ${LIMITS.statusMillis / 1_000} s`
    : none;
}

async function readTables(
  query: Query,
): Promise<Pick<SystemStatus, 'target' | 'versions' | 'lastRound' | 'splitDevices'>> {
  const target = await queryTarget(query);
  const versions = await query(
    versionRow,
    `SELECT model_version, stage, windows::DOUBLE AS windows, evaluations::DOUBLE AS evaluations, accuracy, persistence_accuracy, bias, skill
     FROM model_scoreboard ORDER BY round NULLS FIRST, model_version`,
  );
  const rounds = await query(
    roundRow,
    'SELECT round, model_version, decision, finding, reason FROM federated_rounds ORDER BY round DESC LIMIT 1',
  );
  const split = await query(
    splitRow,
    'SELECT device_id, count(*) OVER ()::INTEGER AS devices FROM split_devices ORDER BY device_id LIMIT 10',
  );
  const sentence = splitDevicesSentence(
    split.map(({ device_id }) => device_id),
    split[0]?.devices ?? 0,
  );
  return { target, versions, lastRound: rounds[0] ?? null, splitDevices: sentence ?? null };
}

async function readTemporal(
  env: NodeJS.ProcessEnv,
): Promise<Pick<SystemStatus, 'round' | 'missingWorker' | 'checksPaused' | 'retries' | 'nextScheduled'>> {
  return withTemporal(env, async (client, names) => {
    const { roundId } = names;
    const missing = (await missingWorker(client, names, roundId)) ?? null;
    // Nobody would answer.
    const round = missing === null ? ((await queryRunningRound(client, roundId)) ?? null) : null;
    const retries = await readRetries(client, names);
    const checksPaused = (await queryPause(client, names.evaluationId)) ?? null;
    const coming = (await listSchedules(client, names))
      .flatMap(({ id, next }) => (next === null ? [] : [{ schedule: id, at: next }]))
      .sort((a, b) => a.at.localeCompare(b.at));
    return { round, missingWorker: missing, checksPaused, retries, nextScheduled: coming[0] ?? null };
  });
}

async function withKafka<Answer>(
  env: NodeJS.ProcessEnv,
  work: (kafka: Kafka) => Promise<Answer>,
): Promise<Answer> {
  const kafka = await connectKafka(readEnvironment(env), 'fedloop-status', silentLogger());
  try {
    return await work(kafka);
  } finally {
    await kafka.disconnect();
  }
}

/** The answer, or null if there is none in time. */
async function inTime<Answer>(work: Promise<Answer>): Promise<Answer | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => {
      resolve(null);
    }, LIMITS.statusMillis);
  });
  try {
    return await Promise.race([work.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** `round 3: evaluate v3 on live windows`, `a round waits: 13 of 32 windows`. */
export function describeRound(round: ShownProgress): string {
  if (round.waitsFor !== null) return `a round waits: ${describeStep(round)}`;
  return `round ${round.round ?? '?'}: ${describeStep(round)}`;
}
