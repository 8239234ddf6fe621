import { closeIdleWindows } from '../closing';
import { type PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { type ClosedWindow } from '../windows/rows';
import { type LoggedDecision } from './checkpoint-log';

/** Gives the devices the past that the snapshot has of them. */
export type SeedHistory = (engine: PartitionEngine, snapshot: string | null) => void;

/**
 * What the log of a partition decided, put into force in an engine: by its owner after a crash, and by whoever computes its rows once
 * more. A closing for idleness waits until the events before it have been read.
 */
export class LoggedDecisions {
  private readonly waiting: LoggedDecision[] = [];

  /** @param seeded the past of the devices is in the engine already. */
  constructor(
    private readonly engine: PartitionEngine,
    private readonly seedHistory: SeedHistory,
    private seeded: boolean,
  ) {}

  get hasSeeded(): boolean {
    return this.seeded;
  }

  /** Idle closings that wait. */
  get pending(): readonly LoggedDecision[] {
    return this.waiting;
  }

  apply(logged: LoggedDecision): void {
    const { decision } = logged;
    switch (decision.type) {
      case 'history':
        // The devices begin once, with what the first decision says.
        if (!this.seeded) this.seedHistory(this.engine, decision.snapshot);
        this.seeded = true;
        return;
      case 'activation':
        this.engine.activate(decision.version, decision.residual_stddev, decision.from_window);
        return;
      case 'deactivation':
        this.engine.deactivate(decision.version, decision.until_window);
        return;
      case 'idle':
        this.waiting.push(logged);
        return;
    }
  }

  /** Whether a closing for idleness stands before the event at this source offset. Asked for each event: it must cost nothing. */
  isIdleClosingDue(offset: number): boolean {
    const decision = this.waiting[0]?.decision;
    return decision?.type === 'idle' && decision.offset <= offset;
  }

  /** Close what was closed for idleness at or before this source offset the first time. */
  async *closeIdle(offset: number, forecaster: Forecaster): AsyncGenerator<ClosedWindow> {
    while (this.isIdleClosingDue(offset)) {
      this.waiting.shift();
      yield* closeIdleWindows(this.engine, forecaster);
    }
  }
}
