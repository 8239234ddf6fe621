import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { skillOf } from './feedback-figures';
import { sumsOf, sumsRow } from '../database/sums';
import { list } from '../database/values';
import { boundsOf, IN_RANGE, type WindowRange } from './windows';

/** One version on the device-windows that all compared versions forecast. */
export interface VersionCounts {
  readonly version: VersionId;
  readonly evaluations: number;
  readonly correct: number;
  readonly accuracy: number;
  readonly bias: number;
  readonly mae: number;
  readonly rmse: number;
  readonly skill: number | null;
  readonly persistenceAccuracy: number;
}

/** Device-windows of one cluster in one window: the unit of intervals and paired tests. */
export interface ClusterSums {
  /** Recorded slot of the devices; a device without one is its own cluster. */
  readonly cluster: string;
  readonly windowStart: Micros;
  readonly n: number;
  readonly candidateCorrect: number;
  readonly championCorrect: number;
}

export interface RoundComparison {
  /** Starts of the windows that have rows of every version. */
  readonly windows: readonly Micros[];
  readonly devices: number;
  readonly champion: VersionCounts;
  /** In the order asked for. */
  readonly candidates: readonly {
    readonly counts: VersionCounts;
    readonly clusters: readonly ClusterSums[];
  }[];
}

export interface CompareInput extends WindowRange {
  readonly champion: VersionId;
  readonly candidates: readonly VersionId[];
  readonly tolerance: number;
  /** Only these devices, such as the healthy ones; all when left out. */
  readonly devices?: readonly string[];
}

const windowRow = z.object({ window_start: z.int(), devices: z.int() });
const versionRow = sumsRow.extend({ model_version: versionIdSchema });
const clusterRow = z.object({
  cluster: z.string(),
  window_start: z.int(),
  n: z.int(),
  candidate_correct: z.int(),
  champion_correct: z.int(),
});

/**
 * Compare candidates with the champion pair by pair: on the device-windows of the range that every one of them forecast.
 * @returns null when there are none.
 */
export async function compareVersions(
  connection: SerialConnection,
  input: CompareInput,
): Promise<RoundComparison | null> {
  const versions = [...new Set([input.champion, ...input.candidates])];
  const parameters = {
    ...boundsOf(input),
    versions: list(versions, VARCHAR),
    ...(input.devices === undefined ? {} : { devices: list(input.devices, VARCHAR) }),
  };
  const chosen = input.devices === undefined ? '' : 'AND device_id IN (SELECT unnest($devices))';
  const common = `WITH common AS (
      SELECT device_id, window_start FROM evaluation_rows
      WHERE ${IN_RANGE} AND model_version IN (SELECT unnest($versions)) ${chosen}
      GROUP BY ALL HAVING count(*) = ${versions.length}
    )`;
  return connection.alone(async ({ rows }) => {
    const windows = await rows(
      windowRow,
      `${common} SELECT window_start, (SELECT count(DISTINCT device_id) FROM common) AS devices FROM common
       GROUP BY window_start ORDER BY window_start`,
      parameters,
    );
    const [first] = windows;
    if (first === undefined) return null;
    const totals = await rows(
      versionRow,
      `${common} SELECT model_version, ${sumsOf('$tolerance')} FROM evaluation_rows
       SEMI JOIN common USING (device_id, window_start)
       WHERE model_version IN (SELECT unnest($versions)) GROUP BY model_version`,
      { ...parameters, tolerance: input.tolerance },
    );
    const countsOf = (version: VersionId): VersionCounts => {
      const total = totals.find(({ model_version }) => model_version === version);
      if (total === undefined) throw new RangeError(`${version} has no rows among the common ones`);
      return toCounts(version, total);
    };
    const candidates: { counts: VersionCounts; clusters: ClusterSums[] }[] = [];
    for (const candidate of input.candidates) {
      const clusters = await rows(
        clusterRow,
        `${common} SELECT ${clusterOf('candidate.device_id')} AS cluster,
                candidate.window_start AS window_start, count(*) AS n,
                count(*) FILTER (WHERE candidate.is_correct) AS candidate_correct,
                count(*) FILTER (WHERE champion.is_correct) AS champion_correct
         FROM evaluation_rows AS candidate
         SEMI JOIN common ON common.device_id = candidate.device_id AND common.window_start = candidate.window_start
         JOIN evaluation_rows AS champion
           ON champion.device_id = candidate.device_id AND champion.window_start = candidate.window_start
              AND champion.model_version = $champion
         LEFT JOIN devices ON devices.device_id = candidate.device_id
         WHERE candidate.model_version = $candidate
         GROUP BY ALL ORDER BY window_start, cluster`,
        { ...parameters, champion: input.champion, candidate },
      );
      candidates.push({ counts: countsOf(candidate), clusters: clusters.map(toCluster) });
    }
    return {
      windows: windows.map(({ window_start }) => window_start),
      devices: first.devices,
      champion: countsOf(input.champion),
      candidates,
    };
  });
}

/**
 * A version beside persistence on its own device-windows of the range: in the sums, the version stands as the candidate and
 * persistence as the champion. Empty where the version was not measured.
 */
export async function compareWithPersistence(
  connection: SerialConnection,
  input: WindowRange & { readonly version: VersionId; readonly tolerance: number },
): Promise<ClusterSums[]> {
  const rows = await connection.rows(
    clusterRow,
    `SELECT ${clusterOf('evaluation_rows.device_id')} AS cluster, window_start, count(*) AS n,
            count(*) FILTER (WHERE is_correct) AS candidate_correct,
            count(*) FILTER (WHERE abs(persistence_error) <= $tolerance) AS champion_correct
     FROM evaluation_rows LEFT JOIN devices ON devices.device_id = evaluation_rows.device_id
     WHERE model_version = $version AND ${IN_RANGE}
     GROUP BY ALL ORDER BY window_start, cluster`,
    { ...boundsOf(input), version: input.version, tolerance: input.tolerance },
  );
  return rows.map(toCluster);
}

/** SQL: the cluster of a joined device: its recorded slot, or the device itself. */
function clusterOf(device: string): string {
  return `coalesce('slot ' || devices.slot, 'device ' || ${device})`;
}

function toCounts(version: VersionId, row: z.infer<typeof sumsRow>): VersionCounts {
  const n = row.evaluations;
  return {
    version,
    evaluations: n,
    correct: row.correct,
    accuracy: row.correct / n,
    bias: row.sum_error / n,
    mae: row.sum_absolute_error / n,
    rmse: Math.sqrt(row.sum_squared_error / n),
    skill: skillOf({
      sumAbsoluteError: row.sum_absolute_error,
      sumPersistenceAbsoluteError: row.sum_persistence_absolute_error,
    }),
    persistenceAccuracy: row.persistence_correct / n,
  };
}

function toCluster(row: z.infer<typeof clusterRow>): ClusterSums {
  return {
    cluster: row.cluster,
    windowStart: row.window_start,
    n: row.n,
    candidateCorrect: row.candidate_correct,
    championCorrect: row.champion_correct,
  };
}
