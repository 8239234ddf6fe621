import { z } from 'zod';
import { type Margins, type PairedCluster } from '../../core/federation/promotion/cluster-interval';
import { type VersionId, versionIdSchema } from '../../core/contracts/ids';
import { decisionSchema, findingSchema } from '../../core/contracts/decisions';
import { candidateRoleSchema } from '../../core/contracts/deployments';
import { quoted, type Query } from '../../core/warehouse/database/query';
import { linearPairsSql } from '../../core/warehouse/queries/linear-models';
import { upToCutoff, type Cutoff } from './cutoff';
import { type ScoreCluster } from './scores';

/** Queries behind the results of a run. Every number that a report shows comes from here. */

/** Rows of one page of an answer. */
const PAGE_ROWS = 50_000;
/** Device ids in one query: about 60 KB of text. */
const DEVICES_PER_QUERY = 1_000;

const roundRow = z.object({
  round: z.number(),
  model_version: versionIdSchema,
  champion: versionIdSchema,
  decision: decisionSchema,
  finding: findingSchema.nullable(),
  reason: z.string(),
  strategy: z.string(),
  role: candidateRoleSchema.nullable(),
  windows: z.number(),
  evaluations: z.number(),
  accuracy: z.number(),
  champion_accuracy: z.number(),
  paired_change: z.number(),
  paired_change_low: z.number(),
  paired_change_high: z.number(),
  self_reported_accuracy: z.number().nullable(),
  local_real_accuracy: z.number().nullable(),
  updates_trained: z.number(),
  updates_used: z.number(),
});
export type RoundRow = z.infer<typeof roundRow>;

/** Every decided round, or the latest `last` of them; oldest first. */
export async function queryRounds(query: Query, last?: number): Promise<readonly RoundRow[]> {
  const rounds = await query(
    roundRow,
    `SELECT round, model_version, champion, decision, finding, reason, strategy, role, windows, evaluations::DOUBLE AS evaluations, accuracy,
            champion_accuracy, paired_change, paired_change_low, paired_change_high, self_reported_accuracy, local_real_accuracy,
            updates_trained, updates_used
     FROM federated_rounds ORDER BY round DESC ${last === undefined ? '' : `LIMIT ${last}`}`,
  );
  return [...rounds].reverse();
}

const scoreRow = z.object({
  cluster: z.string(),
  window_start: z.number(),
  n: z.number(),
  correct: z.number(),
  served_correct: z.number(),
  error: z.number(),
  absolute_error: z.number(),
  persistence_absolute_error: z.number(),
  persistence_correct: z.number(),
});

/** A row's cluster: its recorded slot, or the device itself where none is known. Devices of a cluster follow one recording. */
const CLUSTER = (rows: string): string => `coalesce('slot ' || devices.slot, 'device ' || ${rows}.device_id)`;
const MICROS = (column: string): string => `epoch_us(${column})::DOUBLE`;
const TOLERANCE = '(SELECT max(tolerance) FROM stream_settings)';

/** Which rows count: those up to the cutoff, of all devices or of the given ones. */
export interface Counted {
  readonly cutoff: Cutoff;
  readonly devices?: readonly string[];
}

/** Sums of one version's evaluations by cluster and window. */
export function queryScores(
  query: Query,
  version: VersionId,
  counted: Counted,
): Promise<readonly ScoreCluster[]> {
  return queryClusters(
    query,
    `SELECT device_id, window_start, error, persistence_error, is_correct, served_is_correct FROM model_evaluations
     WHERE model_version = ${quoted(version)}`,
    counted,
  );
}

/** As `queryScores`, for persistence, on every device-window that any version forecast. */
export function queryPersistence(query: Query, counted: Counted): Promise<readonly ScoreCluster[]> {
  return queryClusters(
    query,
    `SELECT DISTINCT device_id, window_start, persistence_error AS error, persistence_error,
            abs(persistence_error) <= ${TOLERANCE} AS is_correct, is_correct AS served_is_correct
     FROM model_evaluations`,
    counted,
  );
}

async function queryClusters(
  query: Query,
  forecasts: string,
  counted: Counted,
): Promise<readonly ScoreCluster[]> {
  const rows = await queryCounted(
    query,
    scoreRow,
    counted,
    (chosen) => `
    SELECT ${CLUSTER('rows')} AS cluster, ${MICROS('rows.window_start')} AS window_start, count(*)::DOUBLE AS n,
           count(*) FILTER (WHERE is_correct)::DOUBLE AS correct, count(*) FILTER (WHERE served_is_correct)::DOUBLE AS served_correct, sum(error) AS error, sum(abs(error)) AS absolute_error,
           sum(abs(persistence_error)) AS persistence_absolute_error,
           count(*) FILTER (WHERE abs(persistence_error) <= ${TOLERANCE})::DOUBLE AS persistence_correct
    FROM (${forecasts}) AS rows LEFT JOIN devices USING (device_id)
    WHERE ${chosen('rows')}
    GROUP BY ALL`,
  );
  return rows.map((row) => ({
    cluster: row.cluster,
    windowStart: row.window_start,
    n: row.n,
    correct: row.correct,
    servedCorrect: row.served_correct,
    error: row.error,
    absoluteError: row.absolute_error,
    persistenceAbsoluteError: row.persistence_absolute_error,
    persistenceCorrect: row.persistence_correct,
  }));
}

/** Versions that are compared: a candidate with the champion before it, or a linear model with a network. */
interface PairedVersions {
  readonly candidate: VersionId;
  readonly champion: VersionId;
}

const pairSums = z.object({ n: z.number(), candidate_correct: z.number(), champion_correct: z.number() });
const pairRow = pairSums.extend({ cluster: z.string(), window_start: z.number() });
/** Sums by one of the three; the others are null. */
const marginRow = pairSums.extend({
  cluster: z.string().nullable(),
  window_start: z.number().nullable(),
  candidate: versionIdSchema.nullable(),
});

const PAIR_SUMS = `count(*)::DOUBLE AS n, count(*) FILTER (WHERE is_correct)::DOUBLE AS candidate_correct,
           count(*) FILTER (WHERE champion_is_correct)::DOUBLE AS champion_correct`;

/** SQL of the device-windows that both versions of each pair forecast. `pairs`: SQL of the pairs, as `candidate` and `champion`. */
function pairsSql(pairs: string, chosen: (table: string) => string): string {
  return `SELECT pairs.candidate, ${CLUSTER('rows')} AS cluster, ${MICROS('rows.window_start')} AS window_start, rows.is_correct,
           champion.is_correct AS champion_is_correct
    FROM (${pairs}) AS pairs
    JOIN evaluation_rows AS rows ON rows.model_version = pairs.candidate
    JOIN evaluation_rows AS champion
      ON champion.model_version = pairs.champion AND champion.device_id = rows.device_id AND champion.window_start = rows.window_start
    LEFT JOIN devices ON devices.device_id = rows.device_id
    WHERE ${chosen('rows')}`;
}

/** Two versions on the device-windows that both forecast. */
export async function queryPairs(
  query: Query,
  { candidate, champion }: PairedVersions,
  counted: Counted,
): Promise<readonly PairedCluster[]> {
  const pair = `SELECT ${quoted(candidate)} AS candidate, ${quoted(champion)} AS champion`;
  const rows = await queryCounted(
    query,
    pairRow,
    counted,
    (chosen) => `SELECT cluster, window_start, ${PAIR_SUMS} FROM (${pairsSql(pair, chosen)}) GROUP BY ALL`,
  );
  return rows.map((row) => pairOf(row, row.cluster, row.window_start));
}

/** Sums of the linear models of rounds beside the networks: by cluster, by window, and by linear model. */
export interface LinearSums extends Margins<PairedCluster> {
  readonly byModel: readonly PairedCluster[];
}

/**
 * The linear models of rounds since `first` beside the networks that were elected, on the device-windows that both forecast. Sums alone:
 * thousands of devices have hundreds of thousands of device-windows in a dozen rounds, which nobody waits for.
 */
export async function queryLinearSums(query: Query, first: number, counted: Counted): Promise<LinearSums> {
  const rows = await queryCounted(
    query,
    marginRow,
    counted,
    (chosen) =>
      `SELECT cluster, window_start, candidate, ${PAIR_SUMS} FROM (${pairsSql(linearPairsSql(first), chosen)})
       GROUP BY GROUPING SETS ((cluster), (window_start), (candidate))`,
    'window_start, cluster, candidate',
  );
  return {
    byCluster: rows.flatMap((row) => (row.cluster === null ? [] : [pairOf(row, row.cluster, 0)])),
    byWindow: rows.flatMap((row) => (row.window_start === null ? [] : [pairOf(row, '', row.window_start)])),
    byModel: rows.flatMap((row) => (row.candidate === null ? [] : [pairOf(row, row.candidate, 0)])),
  };
}

function pairOf(row: z.infer<typeof pairSums>, cluster: string, windowStart: number): PairedCluster {
  return {
    cluster,
    windowStart,
    n: row.n,
    candidateCorrect: row.candidate_correct,
    championCorrect: row.champion_correct,
  };
}

/**
 * Query all devices, or chosen ones in portions, page by page.
 * @param sqlOf `chosen` gives the condition for rows of a table
 * @param order the columns that tell rows apart
 */
async function queryCounted<Row extends z.ZodType>(
  query: Query,
  row: Row,
  { cutoff, devices }: Counted,
  sqlOf: (chosen: (table: string) => string) => string,
  order = 'window_start, cluster',
): Promise<readonly z.infer<Row>[]> {
  if (devices === undefined)
    return queryPages(
      query,
      row,
      sqlOf((table) => `true${upToCutoff(cutoff, `${table}.window_start`)}`),
      order,
    );
  const answers: z.infer<Row>[] = [];
  for (let first = 0; first < devices.length; first += DEVICES_PER_QUERY) {
    const list = devices
      .slice(first, first + DEVICES_PER_QUERY)
      .map(quoted)
      .join(', ');
    const sql = sqlOf(
      (table) => `${table}.device_id IN (${list})${upToCutoff(cutoff, `${table}.window_start`)}`,
    );
    answers.push(...(await queryPages(query, row, sql, order)));
  }
  return answers;
}

async function queryPages<Row extends z.ZodType>(
  query: Query,
  row: Row,
  sql: string,
  order: string,
): Promise<readonly z.infer<Row>[]> {
  const answers: z.infer<Row>[] = [];
  for (;;) {
    const page = await query(row, `${sql} ORDER BY ${order} LIMIT ${PAGE_ROWS} OFFSET ${answers.length}`);
    answers.push(...page);
    if (page.length < PAGE_ROWS) return answers;
  }
}
