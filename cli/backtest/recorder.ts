import { type BacktestLog, type BacktestRound } from '../../core/backtest/types';
import { type EvaluatedRow, type Tally } from '../../core/backtest/tally';
import { type DeploymentMessage } from '../../core/contracts/deployments';
import { type VersionId } from '../../core/contracts/ids';
import { type VersionScore } from '../../core/contracts/rounds';
import { type StreamSettings } from '../../core/contracts/settings';
import { type StrategyName } from '../../core/contracts/strategies';
import { TOPICS } from '../../core/contracts/topics';
import { blocksOf, type ClosedWindow } from '../../core/stream/windows/rows';
import { type SerialConnection } from '../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../core/warehouse/database/open';
import { saveRound } from '../../core/warehouse/queries/rounds';
import { storeSettings } from '../../core/warehouse/sink/deployments';
import { Sink } from '../../core/warehouse/sink/sink';
import { type SinkRecord } from '../../core/warehouse/sink/records';
import { scoresOfRows } from './results';

/** Windows stored in one transaction: each costs some milliseconds. */
const WINDOWS_PER_TRANSACTION = 500;

/** The one claim of the one partition. */
const EPOCH = 0;

/** Stores a backtest in a warehouse of its own, as a deployment would have: `fedloop sql` and `fedloop report` read it. */
/** The try that rounds of a backtest stand under. */
const BACKTEST = 'backtest';

export class BacktestRecorder implements BacktestLog {
  private readonly waiting = new Map<string, SinkRecord[]>();
  private readonly offsets = new Map<string, number>();
  private windows = 0;

  private constructor(
    private readonly warehouse: Warehouse,
    private readonly connection: SerialConnection,
    private readonly sink: Sink,
    private readonly onWindow: (windows: number, rounds: number) => void,
  ) {}

  /** @throws FedloopError `WarehouseFailed` when the file cannot be made. */
  static async open(
    path: string,
    settings: StreamSettings,
    onWindow: (windows: number, rounds: number) => void,
  ): Promise<BacktestRecorder> {
    const warehouse = await openWarehouse(path);
    const connection = await warehouse.connect();
    await connection.transaction((inside) => storeSettings(inside, settings));
    const sink = await Sink.open(connection, settings.task);
    return new BacktestRecorder(warehouse, connection, sink, onWindow);
  }

  async window(closed: ClosedWindow, rounds: number): Promise<void> {
    for (const { topic, block } of blocksOf(closed, EPOCH)) this.add(topic, JSON.stringify(block));
    this.windows += 1;
    this.onWindow(this.windows, rounds);
    if (this.windows % WINDOWS_PER_TRANSACTION === 0) await this.flush();
  }

  deployment(message: DeploymentMessage): Promise<void> {
    this.add(TOPICS.deployments.name, JSON.stringify(message));
    return Promise.resolve();
  }

  /** Store what is left, and the rounds. */
  async finish(
    rounds: readonly BacktestRound[],
    tally: Tally,
    { strategy, tolerance }: { readonly strategy: StrategyName; readonly tolerance: number },
  ): Promise<void> {
    await this.flush();
    for (const round of rounds) {
      const scoreOf = (version: VersionId): VersionScore =>
        versionScore(version, rowsBetween(tally.of(version), round), tolerance);
      const result = {
        round: round.round,
        version: round.version,
        champion: round.championBefore,
        decision: round.decision,
        finding: round.finding,
        reason: round.reason,
        strategy,
        role: round.role,
        windows: { count: round.judgedWindows, from: round.from, until: round.until },
        candidate: scoreOf(round.version),
        previousChampion: scoreOf(round.championBefore),
        pairedChange: round.change,
        selfReportedAccuracy: null,
        localRealAccuracy: null,
        selfReportGap: null,
        updates: { trained: round.trained, used: round.trained, leftOut: {} },
        feedbackUsed: {},
      };
      await saveRound(this.connection, result, BACKTEST);
    }
  }

  close(): Promise<void> {
    return this.warehouse.close();
  }

  private add(topic: string, text: string): void {
    const offset = this.offsets.get(topic) ?? 0;
    this.offsets.set(topic, offset + 1);
    const records = this.waiting.get(topic) ?? [];
    this.waiting.set(topic, records);
    records.push({ key: null, value: Buffer.from(text), offset, timestampMillis: Date.now(), headers: {} });
  }

  private async flush(): Promise<void> {
    const batches = [...this.waiting].map(([topic, records]) => ({ topic, partition: 0, records }));
    this.waiting.clear();
    if (batches.length > 0) await this.sink.store(batches);
  }
}

function rowsBetween(
  rows: readonly EvaluatedRow[],
  { from, until }: Pick<BacktestRound, 'from' | 'until'>,
): readonly EvaluatedRow[] {
  return rows.filter(({ windowStart }) => windowStart >= from && windowStart <= until);
}

function versionScore(version: VersionId, rows: readonly EvaluatedRow[], tolerance: number): VersionScore {
  const score = scoresOfRows(rows, tolerance);
  return {
    version,
    evaluations: rows.length,
    correct: rows.filter(({ correct }) => correct).length,
    accuracy: score?.accuracy ?? 0,
    accuracyCi95: score === null ? [0, 1] : [...score.accuracyCi95],
    bias: score?.bias ?? 0,
    mae: score?.mae ?? 0,
    skill: score?.skill ?? null,
    persistenceAccuracy: score?.persistenceAccuracy ?? 0,
  };
}
