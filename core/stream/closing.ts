import { type Micros } from '../contracts/time';
import { type PartitionEngine } from './engine';
import { type Forecaster } from './forecasts/forecaster';
import { type PlannedForecasts } from './forecasts/forecasts';
import { type ClosedWindow } from './windows/rows';

/** Windows as they close, oldest first. */
export type Closing = AsyncGenerator<ClosedWindow>;

/**
 * Close every window that the watermark has reached, and make the forecasts that each closing allows. Events that were let go are judged
 * in between, each when the windows before it have closed.
 */
export async function* closeDueWindows(engine: PartitionEngine, forecaster: Forecaster): Closing {
  engine.endRebuilding();
  do yield* closeUpTo(engine, engine.watermark, forecaster);
  while (judgeNextReleased(engine));
}

/** Judge the next event that was let go. @returns false when there is none. */
function judgeNextReleased(engine: PartitionEngine): boolean {
  const { ahead, counts } = engine;
  const released = ahead.next();
  if (released === undefined) return false;
  const { event, position } = released;
  const verdict = engine.judgeReleased(released);
  counts[verdict] += 1;
  if (verdict === 'windowed') {
    ahead.place(released);
    engine.noteWindowed();
    engine.opening = undefined;
    ahead.releaseReached(position);
  } else {
    ahead.settle(event, verdict, engine.detail);
  }
  if (!ahead.hasReleased) ahead.releaseConfirmed(position);
  return true;
}

/**
 * The partition has gone quiet: close every window that ends at or before the largest event time seen.
 * @param believed events aside count when their time is not after it.
 * @param position source offset to read next.
 */
export async function* closeIdleWindows(
  engine: PartitionEngine,
  forecaster: Forecaster,
  believed: Micros = -Infinity,
  position = 0,
): Closing {
  engine.ahead.believe(believed, position);
  yield* closeDueWindows(engine, forecaster);
  yield* closeUpTo(engine, engine.latestEvent, forecaster);
}

/** End of input: close every open window, full or not. Events aside that are not believed are refused. */
export async function* flushWindows(
  engine: PartitionEngine,
  forecaster: Forecaster,
  believed: Micros = -Infinity,
): Closing {
  engine.ahead.believe(believed, Infinity);
  yield* closeDueWindows(engine, forecaster);
  engine.ahead.refuseAll();
  yield* closeUpTo(engine, engine.open.inOrder().at(-1)?.end ?? -Infinity, forecaster);
}

async function* closeUpTo(engine: PartitionEngine, limit: Micros, forecaster: Forecaster): Closing {
  const forecast = async (plan: PlannedForecasts | undefined): Promise<void> => {
    if (plan !== undefined) engine.evaluator.accept(plan, await forecaster(plan.request));
  };
  while (engine.isDueAt(limit)) {
    await forecast(engine.planOpening());
    const { closed, plan } = engine.closeNext(limit);
    await forecast(plan);
    yield closed;
  }
}
