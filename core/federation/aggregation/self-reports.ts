import { type SelfReportGap } from '../../contracts/rounds';
import { OVERCLAIMERS_NAMED } from '../constants';
import { mean } from '../vectors';

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
  const overclaim = (report: (typeof known)[number]): number =>
    report.selfReportedAccuracy - report.realAccuracy;
  return {
    count: known.length,
    selfReportedAccuracy: mean(known.map((report) => report.selfReportedAccuracy)),
    realAccuracy: mean(known.map((report) => report.realAccuracy)),
    gap: mean(known.map(overclaim)),
    worst: known
      .filter((report) => overclaim(report) > 0)
      .sort((one, other) => overclaim(other) - overclaim(one) || (one.deviceId < other.deviceId ? -1 : 1))
      .slice(0, OVERCLAIMERS_NAMED),
  };
}
