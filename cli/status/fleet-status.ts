import { z } from 'zod';
import { streamStatusSchema, type StreamStatus } from '../../core/contracts/evaluation';
import { aheadOf, patienceOf } from '../../core/contracts/partition-times';
import { fleetReadiness, siteReadinessReportSchema, whatRoundNeeds } from '../../core/contracts/readiness';
import { remedyOf } from '../../core/contracts/remedies';
import { federatedRoundInputSchema } from '../../core/contracts/rounds';
import { isoOfMicros, MICROS_PER_MILLI, MICROS_PER_SECOND } from '../../core/contracts/time';
import { suggestedWindow } from '../../core/contracts/window-choice';
import { STREAM_GROUP, TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';
import { type Query } from '../../core/warehouse/database/query';
import { LIMITS } from '../shared/limits';
import { span } from '../shared/format';
import { type RunningSystem } from '../system/running';

/** How far the fleet is on its way to a round, as its sites say. */
export interface RoundReadiness {
  readonly sending: number;
  readonly silent: number;
  /** Devices that send in too few windows for a forecast. */
  readonly tooSparse: number;
  readonly windows: number;
  readonly windowsNeeded: number;
  /** ISO 8601: start of the newest window that nearly all devices have closed. */
  readonly latestWindow: string | null;
  /** What a round still needs; null when one can begin. */
  readonly needs: string | null;
}

const stateRow = z.object({
  state: z.string(),
  devices: z.number(),
  /** The target's last reading stays true for a while. */
  is_held: z.boolean(),
  /** A few of them. */
  named: z.array(
    z.object({
      device_id: z.string(),
      reason: z.string().nullable(),
      seconds_between_readings: z.number().nullable(),
      seconds_between_windows: z.number().nullable(),
    }),
  ),
});

/** Devices that are not forecast, by the reason's kind. */
export interface DevicesInState {
  readonly state: string;
  readonly devices: number;
  readonly examples: readonly { readonly device: string; readonly reason: string }[];
}

const rejectRow = z.object({
  /** `ingest`: messages, and readings in them, of which the ingest worker made no events; `stream`: events. */
  source: z.enum(['ingest', 'stream']),
  reason: z.string(),
  detail: z.string().nullable(),
  events: z.number(),
});

/** What was put aside, by reason, with what usually helps. */
export interface PutAside extends z.infer<typeof rejectRow> {
  readonly remedy: string | null;
}

const letterRow = z.object({ topic: z.string(), reason: z.string(), messages: z.number() });

const lostRow = z.object({ topic: z.string(), records: z.number() });

const lostRejectsRow = z.object({ topic: z.string(), events: z.number() });
const lostWindowsRow = z.object({
  topic: z.string(),
  /** Of each partition. */
  windows: z.number(),
  /** Microseconds since 1970: start of the first of them, end of the last. */
  from: z.number(),
  until: z.number(),
});

const placeRow = z.object({
  partition: z.int(),
  latest: z.number(),
  watermarkMicros: z.number(),
  windowMicros: z.number(),
});

/** A partition whose times are ahead of the others'. */
interface PartitionAhead {
  readonly partition: number;
  readonly seconds: number;
}

/** What the tables know of the fleet. */
export interface FleetTables {
  readonly partitionsAhead: readonly PartitionAhead[];
  /** Messages that the warehouse could not store, by topic and reason. */
  readonly deadLetters: readonly z.infer<typeof letterRow>[];
  /** Records that were deleted from their topics before the warehouse stored them, by topic. */
  readonly lostRecords: readonly z.infer<typeof lostRow>[];
  /** Results that were written and never came, by topic. */
  readonly lostWindows: readonly z.infer<typeof lostWindowsRow>[];
  readonly lostRejects: readonly z.infer<typeof lostRejectsRow>[];
  readonly notForecast: readonly DevicesInState[];
  readonly putAside: readonly PutAside[];
}

/** Names of devices that a person reads. */
const DEVICES_NAMED = 3;

export async function readFleetTables(query: Query): Promise<FleetTables> {
  const states = await query(
    stateRow,
    `SELECT state, count(*)::DOUBLE AS devices,
            EXISTS (FROM stream_settings WHERE task->>'$.target.holdMicros' IS NOT NULL) AS is_held,
            list({device_id: device_id, reason: reason, seconds_between_readings: seconds_between_readings,
                  seconds_between_windows: seconds_between_windows} ORDER BY device_id)[1:${DEVICES_NAMED}] AS named
     FROM device_states WHERE state <> 'forecast' GROUP BY state ORDER BY state`,
  );
  const rejects = await query(
    rejectRow,
    // The ingest worker's details quote the messages: its reasons say what stream workers say by details.
    `SELECT source, reason, CASE source WHEN 'stream' THEN nullif(detail, '') END AS detail, count(*)::DOUBLE AS events
     FROM rejected_rows WHERE source IN ('ingest', 'stream') GROUP BY ALL ORDER BY events DESC, reason`,
  );
  const deadLetters = await query(
    letterRow,
    'SELECT topic, reason, count(*)::DOUBLE AS messages FROM dead_letters GROUP BY ALL ORDER BY messages DESC, topic, reason',
  );
  const lostRecords = await query(
    lostRow,
    'SELECT topic, sum(until_offset - from_offset)::DOUBLE AS records FROM lost_records GROUP BY topic ORDER BY records DESC, topic',
  );
  const lostWindows = await query(
    lostWindowsRow,
    `SELECT topic, sum(epoch_us(until_window) - epoch_us(from_window))::DOUBLE / (SELECT max(window_micros) FROM stream_settings) AS windows,
            epoch_us(min(from_window))::DOUBLE AS "from", epoch_us(max(until_window))::DOUBLE AS until
     FROM lost_windows GROUP BY topic ORDER BY topic`,
  );
  const lostRejects = await query(
    lostRejectsRow,
    'SELECT topic, sum(until_number - from_number)::DOUBLE AS events FROM lost_rejects GROUP BY topic ORDER BY topic',
  );
  return {
    partitionsAhead: await readPartitionsAhead(query),
    deadLetters,
    lostRecords,
    lostWindows,
    lostRejects,
    notForecast: states.map(({ state, devices, is_held, named }) => ({
      state,
      devices,
      examples: named.map((device) => ({
        device: device.device_id,
        reason: reasonOf(state, device, is_held),
      })),
    })),
    putAside: rejects.map((row) => ({
      ...row,
      remedy: remedyOf(row.detail ?? row.reason) ?? remedyOf(row.reason) ?? null,
    })),
  };
}

async function readPartitionsAhead(query: Query): Promise<readonly PartitionAhead[]> {
  const places = await query(
    placeRow,
    `SELECT source_partition AS "partition", epoch_us(window_start)::DOUBLE AS latest,
            watermark_micros::DOUBLE AS "watermarkMicros", window_micros::DOUBLE AS "windowMicros"
     FROM sink_marks, stream_settings
     WHERE topic = '${TOPICS.analysis.name}' AND window_start IS NOT NULL ORDER BY source_partition`,
  );
  const [place] = places;
  if (place === undefined) return [];
  const times = new Map(places.map(({ partition, latest }) => [partition, latest]));
  const { watermarkMicros, windowMicros } = place;
  const ahead = aheadOf(times, patienceOf({ watermarkMicros, task: { windowMicros } }));
  const others = Math.max(
    ...places.flatMap(({ partition, latest }) => (ahead.has(partition) ? [] : [latest])),
  );
  return places
    .filter(({ partition }) => ahead.has(partition))
    .map(({ partition, latest }) => ({ partition, seconds: (latest - others) / MICROS_PER_SECOND }));
}

function reasonOf(state: string, device: z.infer<typeof stateRow>['named'][number], isHeld: boolean): string {
  const { reason, seconds_between_readings: readings, seconds_between_windows: windows } = device;
  if (state !== 'too sparse' || readings === null || windows === null) return reason ?? state;
  const window = suggestedWindow({
    betweenReadings: readings * MICROS_PER_SECOND,
    betweenWindows: windows * MICROS_PER_SECOND,
    isHeld,
  });
  return `${reason ?? state}; a window of ${span(window / MICROS_PER_SECOND)} would do`;
}

/** Query the sites that run here. Null where none does, or one does not answer. */
export async function readReadiness({ workers }: RunningSystem): Promise<RoundReadiness | null> {
  const sites = workers.filter(({ role }) => role === 'site');
  if (sites.length === 0) return null;
  const reports = await Promise.all(sites.map(({ url }) => readStatus(url, siteReadinessReportSchema)));
  const settings = reports[0]?.settings;
  if (settings === undefined) return null;
  const { minUpdates } = federatedRoundInputSchema.parse({});
  const fleet = fleetReadiness(
    reports.map(({ readiness }) => readiness),
    settings.task,
    minUpdates,
  );
  return {
    sending: fleet.devices,
    silent: fleet.silent,
    tooSparse: fleet.tooSparse,
    windows: fleet.windows,
    windowsNeeded: fleet.windowsNeeded,
    latestWindow: fleet.latestWindow === null ? null : isoOfMicros(fleet.latestWindow),
    needs: whatRoundNeeds(fleet, settings, Date.now() * MICROS_PER_MILLI),
  };
}

/** How far the stream is read. */
export interface StreamPosition {
  /** Events that are in the topic and that no stream worker has read. */
  readonly lag: number;
  readonly partitions: number;
  /** Partitions that no stream worker of this machine reads. */
  readonly unread: readonly number[];
}

/**
 * Where the stream workers are in the topic: by what they have read, where they run here, else by what they have committed, which they do
 * with their checkpoints alone.
 */
export async function readStreamPosition(
  { workers, kafka: place }: RunningSystem,
  kafka: Kafka,
): Promise<StreamPosition> {
  const streams = workers.filter(({ role }) => role === 'stream');
  const answers = await Promise.all(
    streams.map(({ url }) => readStatus(url, streamStatusSchema).catch(() => undefined)),
  );
  const statuses = answers.filter((answer): answer is StreamStatus => answer !== undefined);
  const topic = statuses[0]?.topic ?? place.eventTopic;
  const read = new Map(
    statuses.flatMap(({ partitions }) =>
      partitions.map(({ partition, offset }) => [partition, offset] as const),
    ),
  );
  const [ends, committed] = await Promise.all([kafka.offsets(topic), kafka.committed(STREAM_GROUP, topic)]);
  const done = new Map([...committed.map(({ partition, offset }) => [partition, offset] as const), ...read]);
  return {
    lag: ends.reduce(
      (sum, { partition, low, high }) => sum + Math.max(0, high - Math.max(low, done.get(partition) ?? low)),
      0,
    ),
    partitions: ends.length,
    unread: ends.map(({ partition }) => partition).filter((partition) => !read.has(partition)),
  };
}

async function readStatus<Schema extends z.ZodType>(url: string, schema: Schema): Promise<z.infer<Schema>> {
  const response = await fetch(`${url}/status`, { signal: AbortSignal.timeout(LIMITS.statusMillis) });
  return schema.parse(await response.json());
}
