import { type VersionId } from '../contracts/ids';
import { type ChampionCheck } from '../contracts/live-checks';
import { type FederatedRoundResult } from '../contracts/rounds';
import { type Micros } from '../contracts/time';
import { type SerialConnection } from './database/connection';
import { latestCheck, saveCheck, windowsInService } from './queries/champion-checks';
import {
  compareVersions,
  compareWithPersistence,
  type ClusterSums,
  type CompareInput,
  type RoundComparison,
} from './queries/comparison';
import { savedAttempt, saveRound } from './queries/rounds';
import { evaluatedWindows, type WindowRange } from './queries/windows';
import { type Completeness } from './sink/completeness';

/** What rounds, and the checks between them, read from the tables and store there. */
export class RoundRepository {
  constructor(
    protected readonly connection: SerialConnection,
    protected readonly completeness: Completeness,
    protected readonly tolerance: number,
  ) {}

  /** Candidates beside the champion on the device-windows that all of them forecast; null where there are none. */
  compare(input: Omit<CompareInput, 'tolerance'>): Promise<RoundComparison | null> {
    return compareVersions(this.connection, { ...input, tolerance: this.tolerance });
  }

  /** The version (as candidate) beside persistence (as champion) on its own device-windows. */
  compareWithPersistence(version: VersionId, range: WindowRange): Promise<readonly ClusterSums[]> {
    const { tolerance } = this;
    return compareWithPersistence(this.connection, { ...range, version, tolerance });
  }

  /** The latest complete windows that a champion was evaluated on in service, oldest first. */
  async windowsInService(version: VersionId, limit: number): Promise<readonly Micros[]> {
    const before = await this.completeness.before();
    return windowsInService(this.connection, { version, limit, before });
  }

  /** Complete windows from `from` on (null: from the first on) that have evaluations of the version, oldest first, at most `limit`. */
  async completeWindows(input: {
    readonly version: VersionId;
    readonly from: Micros | null;
    readonly limit: number;
  }): Promise<readonly Micros[]> {
    const before = await this.completeness.before();
    return evaluatedWindows(this.connection, { ...input, before });
  }

  latestCheck(version: VersionId): Promise<ChampionCheck | undefined> {
    return latestCheck(this.connection, version);
  }

  saveCheck(check: ChampionCheck): Promise<void> {
    return saveCheck(this.connection, check);
  }

  saveRound(result: FederatedRoundResult, attempt: string): Promise<void> {
    return saveRound(this.connection, result, attempt);
  }

  /** The try whose result is stored for a round: null for one of an earlier release; undefined where none is stored. */
  savedAttempt(round: number): Promise<string | null | undefined> {
    return savedAttempt(this.connection, round);
  }
}
