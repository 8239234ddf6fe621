import { type AnalysisColumns } from '../../contracts/blocks';
import { ROW_LIMITS } from '../../contracts/limits';
import { type AverageColumn } from '../../contracts/task';
import { type Cells } from './cells';
import { grubbsCritical, largestAbsZ, sampleStddev } from './statistics';

/** The figures of one device in a window that closes, in the sensors' units. */
export interface DeviceSummary {
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly stddev: number;
  readonly maxAbsZ: number;
  readonly outliers: number;
  /** Means of the covariates in the task's order; NaN where the device sent none. */
  readonly covariates: readonly number[];
  /** Whether the events themselves say that there is an anomaly; null = they do not say. */
  readonly label: 0 | 1 | null;
  /** The label where there is one, else what Grubbs' test says; null = unknown. */
  readonly anomaly: 0 | 1 | null;
}

/** @param outlierZ |Z| above which a reading is an outlier. */
export function summariseCell(cells: Cells, cell: number, outlierZ: number): DeviceSummary {
  const { count, mean, m2, min, max, label, covariates } = cells.read(cell);
  const stddev = min === max ? 0 : sampleStddev(m2, count);
  const maxAbsZ = largestAbsZ(mean, stddev, min, max);
  const known = label < 0 ? null : label > 0 ? 1 : 0;
  return {
    count,
    mean,
    min,
    max,
    stddev,
    maxAbsZ,
    outliers: maxAbsZ > outlierZ ? cells.countOutliers(cell, mean, stddev, outlierZ) : 0,
    covariates,
    label: known,
    anomaly: known ?? outlierAnomaly(count, maxAbsZ),
  };
}

/** Grubbs' test where there are enough readings for it. */
function outlierAnomaly(count: number, maxAbsZ: number): 0 | 1 | null {
  if (count < ROW_LIMITS.grubbsMinReadings) return null;
  return maxAbsZ > grubbsCritical(count) ? 1 : 0;
}

/** Variance of the window's readings as a sign of the device's usual spread; NaN with one reading or with an anomaly. */
export function usualVarianceOf({ count, stddev, anomaly }: DeviceSummary): number {
  return count > 1 && anomaly !== 1 ? stddev * stddev : NaN;
}

/** @param covariateColumns columns of the covariates' means, in the task's order. */
export function pushAnalysisRow(
  out: AnalysisColumns,
  covariateColumns: readonly AverageColumn[],
  deviceId: string,
  summary: DeviceSummary,
): void {
  out.device_id.push(deviceId);
  out.count.push(summary.count);
  out.avg.push(summary.mean);
  out.min.push(summary.min);
  out.max.push(summary.max);
  out.stddev.push(summary.stddev);
  out.max_abs_z.push(summary.maxAbsZ);
  out.outliers.push(summary.outliers);
  for (const [index, name] of covariateColumns.entries()) {
    const mean = summary.covariates[index] ?? NaN;
    out[name]?.push(Number.isNaN(mean) ? null : mean);
  }
  out.actual_anomaly.push(summary.anomaly);
}
