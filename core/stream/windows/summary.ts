import { GRUBBS_MIN_READINGS, OUTLIER_Z } from '../limits';
import { type OpenWindows } from './open-windows';
import { type AnalysisColumns } from './rows';
import { grubbsCritical, largestAbsZ, sampleStddev } from './statistics';

/** What one device did in a window that closes. Temperature in °C; humidity and pressure NaN where it sent none. */
export interface DeviceSummary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly stddev: number;
  readonly maxAbsZ: number;
  readonly outliers: number;
  readonly humidity: number;
  readonly pressure: number;
  /** What forecasts are held against; null = unknown. */
  readonly anomaly: 0 | 1 | null;
}

export function summariseCell(open: OpenWindows, cell: number): DeviceSummary {
  const { count, mean, m2, min, max, label, humiditySum, humidityCount, pressureSum, pressureCount } =
    open.read(cell);
  const stddev = min === max ? 0 : sampleStddev(m2, count);
  const maxAbsZ = largestAbsZ(mean, stddev, min, max);
  return {
    count,
    mean,
    min,
    max,
    stddev,
    maxAbsZ,
    outliers: maxAbsZ > OUTLIER_Z ? open.countOutliers(cell, mean, stddev, OUTLIER_Z) : 0,
    humidity: humidityCount > 0 ? humiditySum / humidityCount : NaN,
    pressure: pressureCount > 0 ? pressureSum / pressureCount : NaN,
    anomaly: actualAnomaly(label, count, maxAbsZ),
  };
}

/** The events' own label where there is one, else Grubbs' test where there are readings enough for it. */
function actualAnomaly(label: number, count: number, maxAbsZ: number): 0 | 1 | null {
  if (label >= 0) return label > 0 ? 1 : 0;
  if (count < GRUBBS_MIN_READINGS) return null;
  return maxAbsZ > grubbsCritical(count) ? 1 : 0;
}

/** The variance that a window teaches of a device's usual spread: none from one reading or where an anomaly is in it. */
export function usualVarianceOf({ count, stddev, anomaly }: DeviceSummary): number {
  return count > 1 && anomaly !== 1 ? stddev * stddev : NaN;
}

export function pushAnalysisRow(out: AnalysisColumns, deviceId: string, summary: DeviceSummary): void {
  out.device_id.push(deviceId);
  out.count.push(summary.count);
  out.avg.push(summary.mean);
  out.min.push(summary.min);
  out.max.push(summary.max);
  out.stddev.push(summary.stddev);
  out.max_abs_z.push(summary.maxAbsZ);
  out.outliers.push(summary.outliers);
  out.humidity_avg.push(Number.isNaN(summary.humidity) ? null : summary.humidity);
  out.pressure_avg.push(Number.isNaN(summary.pressure) ? null : summary.pressure);
  out.actual_anomaly.push(summary.anomaly);
}
