import { type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';
import { type VersionAdapters } from '../adapters/version-adapters';
import { type VersionAnomalies } from '../anomalies/version-anomalies';
import { type VersionErrors } from './confidence';

/** A version that one partition scores. */
export interface ActiveVersion {
  readonly version: VersionId;
  /** Held-out residuals in the target's unit; null when the model has none. */
  readonly residualStddev: number | null;
  /** What its errors begin with: those of the trained version before it; undefined: its residuals alone. */
  readonly errorsFrom: 'predecessor' | undefined;
  /** First window that it is scored on; −Infinity = the first that closes. */
  readonly from: Micros;
  /** First window that it is no longer scored on; Infinity while it is in force. */
  until: Micros;
  readonly errors: VersionErrors;
  /** By which devices correct its forecasts as they are served; undefined where they do not. */
  readonly adapters: VersionAdapters | undefined;
  /** How it predicts anomalies; undefined: by a margin around its forecasts, as versions of earlier releases do. */
  readonly anomalies: VersionAnomalies | undefined;
}

export function scores(version: ActiveVersion, window: Micros): boolean {
  return version.from <= window && window < version.until;
}
