import { type Verdict } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { type Undecodable } from '../../contracts/undecodable';
import { closeDueWindows, type Closing } from '../closing';
import { type PartitionEngine } from '../engine';
import { refuseBatch } from '../refuse-batch';
import { type Forecaster } from '../forecasts/forecaster';
import { type LoggedDecision } from '../ownership/checkpoint-log';
import { LoggedDecisions, type SeedHistory } from '../ownership/decisions';

/** A record of the source topic as far as the engine looks at it. */
export interface SourceRecord {
  readonly offset: number;
  readonly timestampMillis: number;
  readonly value: Uint8Array | null;
  /** A batch that cannot be read, in the place of its first record. */
  readonly undecodable?: Undecodable;
}

interface LogReplayOptions {
  /** A fresh one of the partition. */
  readonly engine: PartitionEngine;
  /** The partition's valid decisions in log order, as `PartitionLog` has them. */
  readonly decisions: readonly LoggedDecision[];
  readonly forecaster: Forecaster;
  readonly seedHistory: SeedHistory;
  /** Called once an event has its verdict; `detail` is why it is malformed. One that was kept aside gets it later than others. */
  readonly onVerdict?: (record: SourceRecord, verdict: Verdict, detail: MalformedDetail | undefined) => void;
}

/**
 * Computes the rows of one partition again, from the event log and the decisions alone. Stream workers must have written exactly
 * these, however often they died. `ingest` the partition's events from the first on, in log order, then `end`.
 */
export class LogReplay {
  private readonly decisions: LoggedDecisions;
  private next = 0;

  constructor(private readonly options: LogReplayOptions) {
    this.decisions = new LoggedDecisions(options.engine, options.seedHistory, false);
    for (const logged of options.decisions) this.decisions.apply(logged);
  }

  /** Source offset to read next. */
  get position(): number {
    return this.next;
  }

  async *ingest(records: readonly SourceRecord[]): Closing {
    const { engine, forecaster, onVerdict } = this.options;
    for (const record of records) {
      // Checked first: to delegate to a generator without windows costs more than an event does.
      if (this.decisions.isIdleClosingDue(record.offset)) yield* this.closeIdle(record.offset);
      const verdict =
        record.undecodable === undefined
          ? engine.ingest(record.value, record.timestampMillis * MICROS_PER_MILLI, record.offset)
          : refuseBatch(engine);
      this.next = record.offset + 1;
      if (verdict !== 'aside') onVerdict?.(record, verdict, engine.detail);
      if (engine.isDue()) yield* closeDueWindows(engine, forecaster);
      if (engine.ahead.hasSettled) this.reportSettled();
    }
  }

  /**
   * Close what was decided behind the last event.
   * @param next offset behind all that the partition holds: behind the last event there may be markers.
   */
  end(next = this.next): Closing {
    return this.closeIdle(next);
  }

  private async *closeIdle(offset: number): Closing {
    yield* this.decisions.closeIdle(offset, this.options.forecaster);
    this.reportSettled();
  }

  private reportSettled(): void {
    for (const { event, verdict, detail } of this.options.engine.ahead.takeSettled()) {
      const { offset, recordMicros, bytes: value } = event;
      this.options.onVerdict?.(
        { offset, timestampMillis: recordMicros / MICROS_PER_MILLI, value },
        verdict,
        detail,
      );
    }
  }
}
