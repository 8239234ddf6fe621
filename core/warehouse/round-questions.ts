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
import { saveRound } from './queries/rounds';
import { evaluatedWindows, type WindowRange } from './queries/windows';
import { type Completeness } from './sink/completeness';

/** Windows of a version from one on (null: from the first on), and how many of them at most. */
interface WindowsOfVersion {
  readonly version: VersionId;
  readonly from: Micros | null;
  readonly limit: number;
}

/** What rounds and the checks between them ask of the tables, and keep there. */
export class RoundQuestions {
  constructor(
    protected readonly questions: SerialConnection,
    protected readonly completeness: Completeness,
    protected readonly tolerance: number,
  ) {}

  /** Candidates beside the champion on the device-windows that all of them forecast; null where there are none. */
  compare(input: Omit<CompareInput, 'tolerance'>): Promise<RoundComparison | null> {
    return compareVersions(this.questions, { ...input, tolerance: this.tolerance });
  }

  /** The version (as candidate) beside persistence (as champion) on its own device-windows. */
  compareWithPersistence(version: VersionId, range: WindowRange): Promise<readonly ClusterSums[]> {
    const { tolerance } = this;
    return compareWithPersistence(this.questions, { ...range, version, tolerance });
  }

  /** The latest complete windows that a champion was measured on in service, oldest first. */
  async windowsInService(version: VersionId, limit: number): Promise<readonly Micros[]> {
    const before = await this.completeness.before();
    return windowsInService(this.questions, { version, limit, before });
  }

  /** Complete windows from `from` on that have evaluations of the version, oldest first, at most `limit`. */
  async completeWindows(input: WindowsOfVersion): Promise<readonly Micros[]> {
    const before = await this.completeness.before();
    return evaluatedWindows(this.questions, { ...input, before });
  }

  latestCheck(version: VersionId): Promise<ChampionCheck | undefined> {
    return latestCheck(this.questions, version);
  }

  saveCheck(check: ChampionCheck): Promise<void> {
    return saveCheck(this.questions, check);
  }

  saveRound(result: FederatedRoundResult): Promise<void> {
    return saveRound(this.questions, result);
  }
}
