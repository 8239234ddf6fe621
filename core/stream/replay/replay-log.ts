import { type Verdict } from '../../contracts/blocks';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type LoggedDecision } from '../ownership/checkpoint-log';
import { LoggedDecisions, type SeedHistory } from '../ownership/decisions';
import { closeDueWindows } from '../closing';
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
  readonly seedHistory: SeedHistory;
  /** After each event; `engine.detail` tells more of a malformed one. */
  readonly onVerdict?: (record: SourceRecord, verdict: Verdict) => void;
}

/**
 * The rows of one partition once more, from the event log and the decisions alone: what stream workers wrote, however
 * often they died meanwhile, must be exactly this. `take` the partition's events from the first on, in log order, then
 * `end`.
 */
export class LogReplay {
  private readonly decisions: LoggedDecisions;
  private next = 0;

  constructor(private readonly options: LogReplayOptions) {
    this.decisions = new LoggedDecisions(options.engine, options.seedHistory, false);
    for (const logged of options.decisions) this.decisions.apply(logged);
  }

  async *take(records: readonly SourceRecord[]): AsyncGenerator<ClosedWindow> {
    const { engine, forecaster, onVerdict } = this.options;
    for (const record of records) {
      // Asked first: to delegate to a generator that has nothing to give costs more than an event does.
      if (this.decisions.isIdleClosingDue(record.offset))
        yield* this.decisions.closeIdle(record.offset, forecaster);
      const verdict = engine.ingest(record.value, record.timestampMillis * MICROS_PER_MILLI, record.offset);
      this.next = record.offset + 1;
      onVerdict?.(record, verdict);
      if (engine.isDue()) yield* closeDueWindows(engine, forecaster);
    }
  }

  /** What was decided behind the last event. */
  end(): AsyncGenerator<ClosedWindow> {
    return this.decisions.closeIdle(this.next, this.options.forecaster);
  }
}
