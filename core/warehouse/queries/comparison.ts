import { VARCHAR } from '@duckdb/node-api';
import { z } from 'zod';
import { versionIdSchema, type VersionId } from '../../contracts/ids';
import { type VersionScore } from '../../contracts/rounds';
import { softCorrectSql } from '../../contracts/soft-score';
import { type Micros } from '../../contracts/time';
import { type SerialConnection } from '../database/connection';
import { figuresOf, sumsOf, sumsRow } from '../database/sums';
import { list } from '../database/values';
import { boundsOf, IN_RANGE, type WindowRange } from './windows';

/** One version on the device-windows that all compared versions forecast. */
export type VersionCounts = Omit<VersionScore, 'accuracyCi95'>;

const clusterRow = z.object({
  /** Recorded slot of the devices; a device without one is its own cluster. */
  cluster: z.string(),
  windowStart: z.int(),
  n: z.int(),
  candidateCorrect: z.int(),
  championCorrect: z.int(),
});
/** Device-windows of one cluster in one window: the unit of intervals and paired tests. */
export type ClusterSums = z.infer<typeof clusterRow>;

const scoredClusterRow = clusterRow.extend({ candidateScore: z.number(), championScore: z.number() });
/** The same with soft scores, summed. */
export type ScoredClusterSums = z.infer<typeof scoredClusterRow>;

export interface RoundComparison {
  /** Starts of the windows that have rows of every version. */
  readonly windows: readonly Micros[];
  readonly devices: number;
  readonly champion: VersionCounts;
  /** In the order of the input. */
  readonly candidates: readonly {
    readonly counts: VersionCounts;
    readonly clusters: readonly ScoredClusterSums[];
  }[];
}

export interface CompareInput extends WindowRange {
  readonly champion: VersionId;
  readonly candidates: readonly VersionId[];
  readonly tolerance: number;
  /** Only these devices, such as the healthy ones; all when left out. */
  readonly devices?: readonly string[];
}

const windowRow = z.object({ start: z.int(), devices: z.int() });
const versionRow = sumsRow.extend({ model_version: versionIdSchema });

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
      `${common} SELECT window_start AS start, (SELECT count(DISTINCT device_id) FROM common) AS devices FROM common
       GROUP BY start ORDER BY start`,
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
      const { evaluations, correct } = total;
      return { version, evaluations, correct, ...figuresOf(total) };
    };
    const candidates: { counts: VersionCounts; clusters: ScoredClusterSums[] }[] = [];
    for (const candidate of input.candidates) {
      const clusters = await rows(
        scoredClusterRow,
        `${common} ${clusterSums(
          'champion.is_correct',
          SCORES,
          `SEMI JOIN common ON common.device_id = candidate.device_id AND common.window_start = candidate.window_start
           JOIN evaluation_rows AS champion
             ON champion.device_id = candidate.device_id AND champion.window_start = candidate.window_start
                AND champion.model_version = $champion`,
          'candidate.model_version = $candidate',
        )}`,
        { ...parameters, champion: input.champion, candidate, tolerance: input.tolerance },
      );
      candidates.push({ counts: countsOf(candidate), clusters });
    }
    return {
      windows: windows.map(({ start }) => start),
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
export function compareWithPersistence(
  connection: SerialConnection,
  input: WindowRange & { readonly version: VersionId; readonly tolerance: number },
): Promise<ClusterSums[]> {
  return connection.rows(
    clusterRow,
    clusterSums('abs(persistence_error) <= $tolerance', '', '', `model_version = $version AND ${IN_RANGE}`),
    { ...boundsOf(input), version: input.version, tolerance: input.tolerance },
  );
}

const SCORES = `,
            sum(${softCorrectSql('candidate.error', '$tolerance')}) AS "candidateScore",
            sum(${softCorrectSql('champion.error', '$tolerance')}) AS "championScore"`;

/**
 * SQL of `ClusterSums` over evaluation rows named `candidate`. A cluster is the recorded slot of a device, or the device itself.
 * `championIsCorrect`: whether the forecast that stands as the champion's was correct. `further`: more columns.
 */
function clusterSums(championIsCorrect: string, further: string, joins: string, where: string): string {
  return `SELECT coalesce('slot ' || devices.slot, 'device ' || candidate.device_id) AS cluster,
            candidate.window_start AS "windowStart", count(*) AS n,
            count(*) FILTER (WHERE candidate.is_correct) AS "candidateCorrect",
            count(*) FILTER (WHERE ${championIsCorrect}) AS "championCorrect" ${further}
     FROM evaluation_rows AS candidate ${joins} LEFT JOIN devices ON devices.device_id = candidate.device_id
     WHERE ${where} GROUP BY ALL ORDER BY "windowStart", cluster`;
}
