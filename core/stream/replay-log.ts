import { type Verdict } from '../contracts/blocks';
import { MICROS_PER_MILLI } from '../contracts/time';
import { type LoggedDecision } from './checkpoint-log';
import { closeDueWindows, closeIdleWindows } from './closing';
import { type PartitionEngine } from './engine';
import { type Forecaster } from './forecaster';
import { type ClosedWindow } from './rows';

/** A record of the source topic as far as the engine looks at it. */
export interface SourceRecord {
  readonly offset: string | number;
  readonly timestamp: string | number;
  readonly value: Uint8Array | null;
}

export interface LogReplay {
  /** Fresh, of the partition in question. */
  readonly engine: PartitionEngine;
  /** The partition's valid decisions in log order, as `PartitionLog` has them. */
  readonly decisions: readonly LoggedDecision[];
  /** The partition's events from the first on, in log order. */
  readonly records: AsyncIterable<readonly SourceRecord[]>;
  readonly forecaster: Forecaster;
  /** Gives the devices the past that the snapshot has of them. */
  readonly seedHistory: (engine: PartitionEngine, snapshot: string | null) => void;
  readonly onVerdict?: (offset: number, verdict: Verdict) => void;
}

/**
 * The rows of one partition once more, from the event log and the decisions alone: what stream workers wrote, however
 * often they died meanwhile, must be exactly this.
 */
export async function* replayLog(replay: LogReplay): AsyncGenerator<ClosedWindow> {
  const { engine, forecaster, onVerdict } = replay;
  const idle: number[] = [];
  for (const { decision } of replay.decisions) {
    switch (decision.type) {
      case 'history':
        replay.seedHistory(engine, decision.snapshot);
        break;
      case 'activation':
        engine.activate(decision.version, decision.residual_stddev, decision.from_window);
        break;
      case 'deactivation':
        engine.deactivate(decision.version, decision.until_window);
        break;
      case 'idle':
        idle.push(decision.offset);
        break;
    }
  }
  let next = 0;
  for await (const records of replay.records) {
    for (const { offset: text, timestamp, value } of records) {
      const offset = Number(text);
      for (; (idle[0] ?? Infinity) <= offset; idle.shift()) yield* closeIdleWindows(engine, forecaster);
      const verdict = engine.ingest(value, Number(timestamp) * MICROS_PER_MILLI, offset);
      next = offset + 1;
      onVerdict?.(offset, verdict);
      if (engine.isDue()) yield* closeDueWindows(engine, forecaster);
    }
  }
  for (; (idle[0] ?? Infinity) <= next; idle.shift()) yield* closeIdleWindows(engine, forecaster);
}
