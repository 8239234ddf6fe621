import { type SelfReportGap } from '../../contracts/rounds';
import { OVERCLAIMERS_NAMED } from '../constants';

/** What one local model claims, and its real accuracy on panels (null where it was not scored); both from 0 to 1. */
export interface SelfReport {
  readonly deviceId: string;
  readonly selfReportedAccuracy: number;
  readonly realAccuracy: number | null;
}

/** Self-reported beside real accuracy, over the local models that were scored; null when none was. */
export function selfReportGap(reports: readonly SelfReport[]): SelfReportGap | null {
  const known = reports.flatMap(({ realAccuracy, ...report }) =>
    realAccuracy === null ? [] : [{ ...report, realAccuracy }],
  );
  if (known.length === 0) return null;
  const meanOf = (value: (report: (typeof known)[number]) => number): number =>
    known.reduce((sum, report) => sum + value(report), 0) / known.length;
  const overclaim = (report: (typeof known)[number]): number =>
    report.selfReportedAccuracy - report.realAccuracy;
  return {
    count: known.length,
    selfReportedAccuracy: meanOf((report) => report.selfReportedAccuracy),
    realAccuracy: meanOf((report) => report.realAccuracy),
    gap: meanOf(overclaim),
    worst: known
      .filter((report) => overclaim(report) > 0)
      .sort((one, other) => overclaim(other) - overclaim(one) || (one.deviceId < other.deviceId ? -1 : 1))
      .slice(0, OVERCLAIMERS_NAMED),
  };
}
