import { type Verdict } from '../../contracts/blocks';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type LoggedDecision } from '../ownership/checkpoint-log';
import { closeDueWindows, closeIdleWindows } from '../closing';
import { type PartitionEngine } from '../engine';
import { type Forecaster } from '../forecasts/forecaster';
import { type ClosedWindow } from '../windows/rows';

/** A record of the source topic as far as the engine looks at it. */
export interface SourceRecord {
  readonly offset: number;
  readonly timestampMillis: number;
  readonly value: Uint8Array | null;
}

export interface LogReplayOptions {
  /** Fresh, of the partition in question. */
  readonly engine: PartitionEngine;
  /** The partition's valid decisions in log order, as `PartitionLog` has them. */
  readonly decisions: readonly LoggedDecision[];
  readonly forecaster: Forecaster;
  /** Gives the devices the past that the snapshot has of them. */
  readonly seedHistory: (engine: PartitionEngine, snapshot: string | null) => void;
  /** After each event; `engine.detail` tells more of a malformed one. */
  readonly onVerdict?: (record: SourceRecord, verdict: Verdict) => void;
}

/**
 * The rows of one partition once more, from the event log and the decisions alone: what stream workers wrote, however
 * often they died meanwhile, must be exactly this. `take` the partition's events from the first on, in log order, then
 * `end`.
 */
export class LogReplay {
  private readonly idle: number[] = [];
  private next = 0;

  constructor(private readonly options: LogReplayOptions) {
    const { engine, seedHistory } = options;
    let seeded = false;
    for (const { decision } of options.decisions) {
      switch (decision.type) {
        case 'history':
          if (!seeded) seedHistory(engine, decision.snapshot);
          seeded = true;
          break;
        case 'activation':
          engine.activate(decision.version, decision.residual_stddev, decision.from_window);
          break;
        case 'deactivation':
          engine.deactivate(decision.version, decision.until_window);
          break;
        case 'idle':
          this.idle.push(decision.offset);
          break;
      }
    }
  }

  async *take(records: readonly SourceRecord[]): AsyncGenerator<ClosedWindow> {
    const { engine, forecaster, onVerdict } = this.options;
    for (const record of records) {
      // Asked first: to delegate to a generator that has nothing to give costs more than an event does.
      if (this.isIdleClosingLogged(record.offset)) yield* this.closeIdleUpTo(record.offset);
      const verdict = engine.ingest(record.value, record.timestampMillis * MICROS_PER_MILLI, record.offset);
      this.next = record.offset + 1;
      onVerdict?.(record, verdict);
      if (engine.isDue()) yield* closeDueWindows(engine, forecaster);
    }
  }

  /** What was decided behind the last event. */
  async *end(): AsyncGenerator<ClosedWindow> {
    yield* this.closeIdleUpTo(this.next);
  }

  private isIdleClosingLogged(offset: number): boolean {
    return (this.idle[0] ?? Infinity) <= offset;
  }

  private async *closeIdleUpTo(offset: number): AsyncGenerator<ClosedWindow> {
    for (; this.isIdleClosingLogged(offset); this.idle.shift())
      yield* closeIdleWindows(this.options.engine, this.options.forecaster);
  }
}
