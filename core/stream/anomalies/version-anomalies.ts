import { z } from 'zod';
import { type AnomalyKind } from '../../contracts/anomalies';
import { savedTailSchema, Tail } from './tail';
import { type Finding, isStuck, scoreToLearn, TEST_SHARES } from './window-detector';

/** What one version says of a device's window. */
export interface Judgement {
  /** null: nothing could be told. */
  readonly predicted: 0 | 1 | null;
  /** The most telling kind of a predicted anomaly. */
  readonly kind: AnomalyKind | null;
  /** −log₁₀ of the share of windows that look as unusual by chance: 3 comes once in a thousand; null where nothing could be told. */
  readonly score: number | null;
}

export const savedVersionAnomaliesSchema = z.object({ shift: savedTailSchema });
type SavedVersionAnomalies = z.infer<typeof savedVersionAnomaliesSchema>;

/** No share of windows is written as smaller than 10^−99. */
const MOST_SCORE = 99;

/** How one version predicts anomalies in one partition: by the band around its forecasts, and by what devices' own pasts say. */
export class VersionAnomalies {
  /** Of forecasts' errors, each in the size that it was expected to have. */
  readonly shift = new Tail();

  /** @param falseAlarms part of the windows without an anomaly that may be predicted to have one. */
  constructor(readonly falseAlarms: number) {}

  /** Nothing was learnt yet, nor inherited. */
  get isNew(): boolean {
    return this.shift.isNew;
  }

  /** Half the width of a forecast's band, in the size that its error is expected to have. */
  get bandLimit(): number {
    return this.shift.limit(TEST_SHARES.band * this.falseAlarms);
  }

  /**
   * @param error of the forecast, and the half width of its band, in the target's unit; NaN = there is no band.
   * @param bandLimit as it was when the band was made.
   */
  judge(finding: Finding, error: number, band: number, bandLimit: number, scatterLimit: number): Judgement {
    const { scatter, scatterShare, scatterKind, stillness } = finding;
    const size = Math.abs(error);
    const seesShift = !finding.followsAnomaly && band > 0;
    if (!seesShift && Number.isNaN(scatter) && stillness === 1) return NOT_JUDGED;
    const shift = seesShift ? this.shift.share((size / band) * bandLimit) / TEST_SHARES.band : 1;
    const uneven = scatterShare / TEST_SHARES.scatter;
    const still = stillness / TEST_SHARES.stillness;
    const least = Math.min(1, shift, uneven, still);
    let kind: AnomalyKind | null = null;
    // The most telling of those that are beyond their limits.
    let told = Infinity;
    if (scatter > scatterLimit) [kind, told] = [scatterKind, uneven];
    if (isStuck(finding, this.falseAlarms) && still < told) [kind, told] = ['stuck', still];
    if (seesShift && size > band && shift < told) kind = 'shift';
    return {
      predicted: kind === null ? 0 : 1,
      kind,
      score: Math.min(MOST_SCORE, Math.round(100 * Math.abs(Math.log10(least))) / 100),
    };
  }

  /** Learn from the forecasts of one window. Those made of an anomalous window tell nothing. */
  learn(errors: readonly ForecastError[]): void {
    if (errors.length === 0) return;
    this.shift.learn(
      errors.map(({ error, band, bandLimit, label, followsAnomaly }) =>
        followsAnomaly || !(band > 0)
          ? NaN
          : scoreToLearn((Math.abs(error) / band) * bandLimit, bandLimit, label),
      ),
    );
  }

  inherit(parent: VersionAnomalies): void {
    this.restore(parent.save());
  }

  save(): SavedVersionAnomalies {
    return { shift: this.shift.save() };
  }

  restore({ shift }: SavedVersionAnomalies): void {
    this.shift.restore(shift);
  }
}

export interface ForecastError {
  readonly error: number;
  readonly band: number;
  readonly bandLimit: number;
  readonly label: 0 | 1 | null;
  readonly followsAnomaly: boolean;
}

/** Nothing could be told. */
export const NOT_JUDGED: Judgement = { predicted: null, kind: null, score: null };
