import { type Micros } from '../contracts/time';
import { type PartitionEngine } from './engine';
import { type Forecaster } from './forecasts/forecaster';
import { type PlannedForecasts } from './forecasts/forecasts';
import { type ClosedWindow } from './windows/rows';

/** Windows as they close, oldest first. */
export type Closing = AsyncGenerator<ClosedWindow>;

/** Close every window that the watermark has reached, and make the forecasts that each closing allows. */
export function closeDueWindows(engine: PartitionEngine, forecaster: Forecaster): Closing {
  return closeUpTo(engine, engine.watermark, forecaster);
}

/** The partition has gone quiet: close every window that ends at or before the largest event time seen. */
export function closeIdleWindows(engine: PartitionEngine, forecaster: Forecaster): Closing {
  return closeUpTo(engine, engine.latestEvent, forecaster);
}

/** End of input: close every open window, full or not. */
export function flushWindows(engine: PartitionEngine, forecaster: Forecaster): Closing {
  return closeUpTo(engine, engine.open.inOrder().at(-1)?.end ?? -Infinity, forecaster);
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
