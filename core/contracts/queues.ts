import { DEFAULT_FLEET, type FleetName, fleetNameSchema, type SiteName } from './ids';

/** Ids of a fleet's schedules by what they start. Stable: setting one again changes it in place. */
const SCHEDULED = ['rounds', 'batch'] as const;
export type ScheduleName = (typeof SCHEDULED)[number];
export const SCHEDULE_NAMES: readonly ScheduleName[] = SCHEDULED;

/** Names of a fleet in Temporal and Kafka. Two fleets have none in common, so they can share a namespace and a broker. */
export interface FleetNames {
  readonly fleet: FleetName;
  /** Put before every topic and group. The default fleet has none: its topics are named as documents name them. */
  readonly topicPrefix: string;
  /** Task queues: one for each kind of work that must be scaled, or must stay alone, by itself. */
  readonly roundsQueue: string;
  readonly analyticsQueue: string;
  siteQueue(site: SiteName): string;
  /** A stream worker's own queue: its lease must be held by that very process. */
  streamQueue(worker: string): string;
  /** The workflow id that rounds run under: Temporal lets one run at a time have it, so rounds cannot overlap. */
  readonly roundId: string;
  readonly trainingId: string;
  readonly batchId: string;
  /** The one evaluation of a deployment, which every stream worker joins. */
  readonly evaluationId: string;
  /** One change of champion by hand at a time. */
  readonly championId: string;
  /** Of a workflow that a person starts from a shell; `time` keeps two of them apart. */
  byHandId(what: 'round' | 'batch', time: string): string;
  readonly schedules: Readonly<Record<ScheduleName, string>>;
}

const ROUNDS_SUFFIX = '-rounds';

export function fleetNames(fleet: FleetName): FleetNames {
  const isDefault = fleet === DEFAULT_FLEET;
  return {
    fleet,
    topicPrefix: isDefault ? '' : `${fleet}.`,
    roundsQueue: `${fleet}${ROUNDS_SUFFIX}`,
    analyticsQueue: `${fleet}-analytics`,
    siteQueue: (site) => `${fleet}-site-${site}`,
    streamQueue: (worker) => `${fleet}-stream-${worker}`,
    roundId: `${fleet}-round`,
    trainingId: `${fleet}-training`,
    batchId: `${fleet}-batch`,
    evaluationId: `${fleet}-evaluation`,
    championId: `${fleet}-champion`,
    byHandId: (what, time) => `${isDefault ? '' : `${fleet}-`}${what}-by-hand-${time}`,
    schedules: { rounds: `${fleet}${ROUNDS_SUFFIX}`, batch: `${fleet}-batch` },
  };
}

/** The fleet whose rounds workers poll this task queue; undefined for any other queue. */
export function fleetOfRoundsQueue(taskQueue: string): FleetName | undefined {
  if (!taskQueue.endsWith(ROUNDS_SUFFIX)) return undefined;
  return fleetNameSchema.safeParse(taskQueue.slice(0, -ROUNDS_SUFFIX.length)).data;
}
