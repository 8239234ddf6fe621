import { type VersionId } from '../contracts/ids';
import { type Micros } from '../contracts/time';
import { softCorrect } from '../contracts/soft-score';
import { type ScoredCluster } from '../federation/promotion/cluster-interval';
import { type GateEvidence } from '../federation/promotion/gate';
import { type ClosedWindow } from '../stream/windows/rows';
import { type BaselineErrors } from './baselines';

/** A version's forecast of one device-window beside what came. Errors are forecast − actual, in the target's unit. */
export interface EvaluatedRow {
  readonly deviceId: string;
  readonly windowStart: Micros;
  readonly error: number;
  readonly correct: boolean;
  /** Of the forecast as served, which the device may have corrected. */
  readonly servedCorrect: boolean;
  readonly persistenceError: number;
  /** Of the version that served; null for versions beside it. */
  readonly baselines: BaselineErrors | null;
}

/** All evaluated rows of a backtest, by version and window. */
export class Tally {
  private readonly rows = new Map<VersionId, EvaluatedRow[]>();

  /** @param tolerance in the target's unit */
  constructor(private readonly tolerance: number) {}

  /** @param baselinesOf errors of the simple forecasts of a device, whose actual mean is given */
  add(
    closed: ClosedWindow,
    champion: VersionId | null,
    baselinesOf: (deviceId: string, actual: number) => BaselineErrors,
  ): void {
    const { evaluations: columns, start } = closed;
    columns.model_version.forEach((version, at) => {
      const deviceId = columns.device_id[at] ?? '';
      const own = this.rows.get(version) ?? [];
      this.rows.set(version, own);
      own.push({
        deviceId,
        windowStart: start,
        error: columns.error[at] ?? NaN,
        correct: columns.is_correct[at] === 1,
        servedCorrect: this.servedCorrect(columns, at),
        persistenceError: columns.persistence_error[at] ?? NaN,
        baselines: version === champion ? baselinesOf(deviceId, columns.actual_result[at] ?? NaN) : null,
      });
    });
  }

  private servedCorrect(columns: ClosedWindow['evaluations'], at: number): boolean {
    const served = columns.served_result[at];
    if (served === undefined || served === null) return columns.is_correct[at] === 1;
    return Math.abs(served - (columns.actual_result[at] ?? NaN)) <= this.tolerance;
  }

  of(version: VersionId): readonly EvaluatedRow[] {
    return this.rows.get(version) ?? [];
  }

  /** Rows of whichever version served, oldest first. */
  served(): readonly EvaluatedRow[] {
    return [...this.rows.values()]
      .flat()
      .filter(({ baselines }) => baselines !== null)
      .sort((a, b) => a.windowStart - b.windowStart);
  }

  /** Candidate and champion on the device-windows from `from` on that both forecast. */
  evidence(
    candidate: VersionId,
    champion: VersionId,
    from: Micros,
  ): Omit<GateEvidence, 'championIsUntrained'> {
    const keyOf = ({ deviceId, windowStart }: EvaluatedRow): string => `${windowStart}/${deviceId}`;
    const beside = new Map(this.of(champion).map((row) => [keyOf(row), row]));
    const { tolerance } = this;
    const clusters: ScoredCluster[] = [];
    let correct = 0;
    let persistenceCorrect = 0;
    for (const row of this.of(candidate)) {
      const other = row.windowStart < from ? undefined : beside.get(keyOf(row));
      if (other === undefined) continue;
      clusters.push({
        cluster: row.deviceId,
        windowStart: row.windowStart,
        n: 1,
        candidateCorrect: row.correct ? 1 : 0,
        championCorrect: other.correct ? 1 : 0,
        candidateScore: softCorrect(row.error / tolerance),
        championScore: softCorrect(other.error / tolerance),
      });
      correct += row.correct ? 1 : 0;
      persistenceCorrect += Math.abs(row.persistenceError) <= tolerance ? 1 : 0;
    }
    const n = Math.max(1, clusters.length);
    return { clusters, accuracy: correct / n, persistenceAccuracy: persistenceCorrect / n };
  }
}
