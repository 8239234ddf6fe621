import { type Micros } from '../contracts/time';
import { type PartitionEngine } from './engine';
import { type Forecaster } from './forecasts/forecaster';
import { type PlannedForecasts } from './forecasts/forecasts';
import { type ClosedWindow } from './windows/rows';

/** Close every window that the watermark has reached, oldest first, and make the forecasts that each closing allows. */
export function closeDueWindows(
  engine: PartitionEngine,
  forecaster: Forecaster,
): AsyncGenerator<ClosedWindow> {
  return closeUpTo(engine, engine.watermark, forecaster);
}

/** The partition has gone quiet: close every window that ends at or before the largest event time seen. */
export function closeIdleWindows(
  engine: PartitionEngine,
  forecaster: Forecaster,
): AsyncGenerator<ClosedWindow> {
  return closeUpTo(engine, engine.latestEvent, forecaster);
}

/** End of input: close whatever is open, full or not. */
export async function* flushWindows(
  engine: PartitionEngine,
  forecaster: Forecaster,
): AsyncGenerator<ClosedWindow> {
  while (engine.open.size > 0) yield await closeOne(engine, Infinity, forecaster);
}

async function* closeUpTo(
  engine: PartitionEngine,
  limit: Micros,
  forecaster: Forecaster,
): AsyncGenerator<ClosedWindow> {
  while (engine.isDueAt(limit)) yield await closeOne(engine, limit, forecaster);
}

async function closeOne(
  engine: PartitionEngine,
  limit: Micros,
  forecaster: Forecaster,
): Promise<ClosedWindow> {
  await forecast(engine, engine.planOpening(), forecaster);
  const { closed, plan } = engine.closeNext(limit);
  await forecast(engine, plan, forecaster);
  return closed;
}

async function forecast(
  engine: PartitionEngine,
  plan: PlannedForecasts | undefined,
  forecaster: Forecaster,
): Promise<void> {
  if (plan !== undefined) engine.evaluator.accept(plan, await forecaster(plan.request));
}
