import { featureCount, historyWindows, type Task } from '../contracts/task';
import { type Micros } from '../contracts/time';
import { linearOutputs, type LinearModel } from '../federation/panels/linear';
import { WindowRing } from '../federation/training/window-ring';
import { scaleFeatures, writeFeatures } from '../model/features';
import { fillHeldMeans } from '../model/held-means';
import { type FeatureScaling } from '../model/types';
import { type ClosedWindow } from '../stream/windows/rows';

/** Errors of the simple forecasts of one device-window, in the target's unit; null where one could not be made. */
export interface BaselineErrors {
  readonly seasonal: number | null;
  readonly linear: number | null;
}

/**
 * Simple forecasts beside the versions, made at the same moment from the same windows.
 * - Seasonal naive: the device's mean one season before (Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 5.2).
 * - Linear: the fleet's linear model, as rounds fit it from sums (`panels/linear.ts`).
 */
export class Baselines {
  private readonly season: WindowRing | null;
  private linear: { readonly model: LinearModel; readonly scaling: FeatureScaling } | null = null;
  /** Forecasts of the window that comes next, by device. */
  private next: { readonly window: Micros; readonly forecasts: ReadonlyMap<string, number> } | null = null;

  /** @param seasonWindows windows of a season; null = no seasonal forecast */
  constructor(
    private readonly task: Task,
    private readonly ring: WindowRing,
    private readonly seasonWindows: number | null,
  ) {
    this.season =
      seasonWindows === null ? null : new WindowRing({ ...task, covariates: [] }, seasonWindows + 1);
  }

  /** The linear model of a round forecasts from now on; null: none does. */
  serveLinear(model: LinearModel | null, scaling: FeatureScaling): void {
    this.linear = model === null ? null : { model, scaling };
  }

  /** Errors on the rows of a window that closes; to be asked for before `learn`. */
  errorsOf({ start }: ClosedWindow, deviceId: string, actual: number): BaselineErrors {
    const before =
      this.season === null || this.seasonWindows === null
        ? undefined
        : this.season.seriesUntil(deviceId, start - this.seasonWindows * this.task.windowMicros, 1).target[0];
    const linear = this.next?.window === start ? this.next.forecasts.get(deviceId) : undefined;
    return {
      seasonal: before === undefined || Number.isNaN(before) ? null : before - actual,
      linear: linear === undefined ? null : linear - actual,
    };
  }

  /** Remember a closed window, whose means are in the ring already, and forecast the next one. */
  learn({ start, end, analysis }: ClosedWindow): void {
    analysis.device_id.forEach((deviceId, row) => {
      this.season?.put(deviceId, start, analysis.avg[row] ?? NaN, []);
    });
    this.next = { window: end, forecasts: this.forecastNext(start, analysis.device_id) };
  }

  private forecastNext(latest: Micros, deviceIds: readonly string[]): ReadonlyMap<string, number> {
    const forecasts = new Map<string, number>();
    if (this.linear === null) return forecasts;
    const { model, scaling } = this.linear;
    const windows = historyWindows(this.task);
    const features = new Float32Array(featureCount(this.task));
    for (const deviceId of deviceIds) {
      const series = this.ring.seriesUntil(deviceId, latest, windows);
      fillHeldMeans(this.task, series);
      if (!writeFeatures(this.task, series, windows - 1, features, 0)) continue;
      scaleFeatures(features, 1, scaling);
      const [change = NaN] = linearOutputs(model, { x: features, count: 1 });
      forecasts.set(deviceId, (series.target[windows - 1] ?? NaN) + change * this.task.target.tolerance);
    }
    return forecasts;
  }
}
