import { type Decision } from '../../contracts/checkpoints';
import { type Micros } from '../../contracts/time';
import { type Closing, closeIdleWindows } from '../closing';
import { type PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { type OpenedAgain, resetWatermark } from '../watermark-resets';
import { type LoggedDecision } from './checkpoint-log';

/** Gives the devices the past that the snapshot has of them. */
export type SeedHistory = (engine: PartitionEngine, snapshot: string | null) => void;

/**
 * Told when a reset of the watermark has opened closed windows again, with the ends of the last closed window before and after. Nothing
 * more is closed before it resolves.
 */
export type OnReset = (opened: OpenedAgain) => Promise<void>;

/**
 * Applies the decisions of a partition's log to its engine: for the owner, for its successor after a crash, and for a replay. An idle
 * closing, and a reset of the watermark, wait until the events before it have been read. What was decided of versions behind a reset waits
 * for it: the windows that it names may close before the reset too, when it did not hold yet.
 */
export class LoggedDecisions {
  private readonly waiting: LoggedDecision[] = [];

  /** @param seeded whether the past of the devices is in the engine already. */
  constructor(
    private readonly engine: PartitionEngine,
    private readonly seedHistory: SeedHistory,
    private seeded: boolean,
    private readonly onReset: OnReset = () => Promise.resolve(),
  ) {}

  get hasSeeded(): boolean {
    return this.seeded;
  }

  /** Offset in the log of the first decision that waits. */
  get firstPending(): number | undefined {
    return this.waiting[0]?.logOffset;
  }

  apply(logged: LoggedDecision): void {
    const { decision } = logged;
    switch (decision.type) {
      case 'start':
      case 'gap':
        // They say which events there are, and nothing of what becomes of them.
        return;
      case 'history':
        // Devices are seeded once, by the first such decision.
        if (!this.seeded) this.seedHistory(this.engine, decision.snapshot);
        this.seeded = true;
        return;
      case 'activation':
      case 'deactivation':
        if (this.waiting.some(isReset)) this.waiting.push(logged);
        else this.applyToVersion(decision);
        return;
      case 'idle':
      case 'watermark':
        this.waiting.push(logged);
        return;
    }
  }

  /** Whether an idle closing or a reset comes before the event at this source offset. Called for each event: it must cost nothing. */
  isIdleClosingDue(offset: number): boolean {
    const decision = this.waiting[0]?.decision;
    return decision !== undefined && 'offset' in decision && decision.offset <= offset;
  }

  /** Close the windows of all idle closings at or before this source offset, and carry out the resets among them. */
  async *closeIdle(offset: number, forecaster: Forecaster): Closing {
    while (this.isIdleClosingDue(offset)) {
      const decision = this.waiting.shift()?.decision;
      if (decision?.type === 'watermark') await this.reset(decision.to, decision.offset);
      else if (decision?.type === 'idle')
        yield* closeIdleWindows(this.engine, forecaster, decision.believed_until, decision.offset);
    }
  }

  private async reset(to: Micros | null, offset: number): Promise<void> {
    const reset = to === null ? undefined : resetWatermark(this.engine, to, offset);
    if (reset !== undefined) await this.onReset(reset);
    this.applyUpToNextReset();
  }

  /** What was decided of versions between the reset just carried out and the next one holds from now on. */
  private applyUpToNextReset(): void {
    const next = this.waiting.findIndex(isReset);
    const ready = this.waiting.splice(0, next < 0 ? this.waiting.length : next);
    this.waiting.unshift(...ready.filter(({ decision }) => !isOfVersion(decision)));
    for (const { decision } of ready) if (isOfVersion(decision)) this.applyToVersion(decision);
  }

  private applyToVersion(decision: OfVersion): void {
    if (decision.type === 'activation')
      this.engine.activate(decision.version, decision.residual_stddev, decision.from_window, decision);
    else this.engine.deactivate(decision.version, decision.until_window);
  }
}

type OfVersion = Extract<Decision, { type: 'activation' | 'deactivation' }>;

function isOfVersion(decision: Decision): decision is OfVersion {
  return decision.type === 'activation' || decision.type === 'deactivation';
}

function isReset({ decision }: LoggedDecision): boolean {
  return decision.type === 'watermark';
}
