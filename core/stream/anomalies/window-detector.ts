import { type AnomalyKind } from '../../contracts/anomalies';
import { middleOf } from '../windows/statistics';
import { type DeviceSummary } from '../windows/summary';
import { DevicePasts } from './device-pasts';
import { Tail } from './tail';

/** What a device's own past says of a closed window, whatever was forecast for it. */
export interface Finding {
  /** How far the scatter lies above the usual one, as a standard normal variable; NaN where it cannot be told. */
  readonly scatter: number;
  /** Probability that so many windows in a row do not move; 1 where this one does. */
  readonly stillness: number;
  /** Change of the mean from the window before, in the target's unit; NaN = unknown. */
  readonly step: number;
  /** Share of windows whose scatter is as large by chance; 1 where it cannot be told. */
  readonly scatterShare: number;
  /** Few readings far from the others, or all of them far apart. */
  readonly scatterKind: Extract<AnomalyKind, 'spike' | 'noise'>;
  /** The window before was anomalous. */
  readonly followsAnomaly: boolean;
}

/** Which part of the false alarms each test of a window may give. Devices are hardly ever still by chance; the other two give what they may. */
export const TEST_SHARES = { scatter: 0.45, stillness: 0.1, band: 0.45 } as const;

/**
 * So much of their span lie the middle of the two furthest readings and the mean apart, twice: a quarter of the readings far from the others has up to
 * half; twelve normal ones have so much in one window of seventeen.
 */
const UNEVEN = 0.33;

/** The devices of one partition beside their own pasts. Versions share it: it knows nothing of forecasts. */
export class WindowDetector {
  readonly pasts: DevicePasts;
  readonly scatter = new Tail();
  /** Usual variance in the fleet, as of the window that is judged. */
  private fleetVariance = NaN;

  /** @param tolerance in the target's unit. */
  constructor(tolerance: number) {
    this.pasts = new DevicePasts(tolerance);
  }

  /**
   * Judge the devices of a window.
   * @param usualVariance what a device's history says of the variance inside a window, in the target's unit squared; NaN = unknown.
   * @param previousMean of the window just before, in the target's unit; NaN = unknown.
   */
  judge(
    summaries: ReadonlyMap<number, DeviceSummary>,
    usualVariance: (device: number) => number,
    previousMean: (device: number) => number,
  ): ReadonlyMap<number, Finding> {
    const { pasts, scatter: tail } = this;
    for (const device of summaries.keys()) pasts.seed(device, usualVariance(device));
    const fleetVariance = this.medianVariance(summaries);
    this.fleetVariance = fleetVariance;
    const findings = new Map<number, Finding>();
    for (const [device, summary] of summaries) {
      const step = summary.mean - previousMean(device);
      const scatter = pasts.scatter(device, summary, step, fleetVariance);
      findings.set(device, {
        scatter,
        stillness: pasts.stillness(device, summary, step),
        step,
        scatterShare: Number.isNaN(scatter) ? 1 : tail.share(scatter),
        scatterKind: isUneven(summary) ? 'spike' : 'noise',
        followsAnomaly: pasts.wasAnomalous(device),
      });
    }
    return findings;
  }

  /** The scatter beyond which a window is anomalous. */
  scatterLimit(falseAlarms: number): number {
    return this.scatter.limit(TEST_SHARES.scatter * falseAlarms);
  }

  /** Learn from the window that was judged. @param falseAlarms part of the windows that may be taken for anomalous by mistake. */
  learn(
    summaries: ReadonlyMap<number, DeviceSummary>,
    findings: ReadonlyMap<number, Finding>,
    falseAlarms: number,
  ): void {
    const limit = this.scatterLimit(falseAlarms);
    const scores: number[] = [];
    for (const [device, finding] of findings) {
      const summary = summaries.get(device);
      if (summary === undefined) continue;
      const isUnusual = finding.scatter > limit || isStuck(finding, falseAlarms);
      const isAnomalous = summary.label === 1 || (summary.label === null && isUnusual);
      scores.push(scoreToLearn(finding.scatter, limit, summary.label));
      const { step } = finding;
      this.pasts.learn(device, { summary, step, fleetVariance: this.fleetVariance, isAnomalous });
    }
    this.scatter.learn(scores);
  }

  /** Over the devices of the window: half of them scatter less. */
  private medianVariance(summaries: ReadonlyMap<number, DeviceSummary>): number {
    const known = Array.from(summaries, ([device, summary]) => {
      const variance = this.pasts.variance(device);
      return Number.isNaN(variance) ? this.pasts.varianceOf(summary) : variance;
    });
    return middleOf(Float64Array.from(known.filter((variance) => !Number.isNaN(variance))));
  }
}

/** A score that nobody knows the truth of counts for at most so many times the limit: a sensor that breaks must not hide the next. */
const MOST_TIMES_LIMIT = 1.25;

/** What a tail learns from a score: nothing where there was an anomaly, a bounded score where nobody knows, all of it where there was none. */
export function scoreToLearn(score: number, limit: number, label: 0 | 1 | null): number {
  if (label === 1) return NaN;
  return label === 0 ? score : Math.min(score, MOST_TIMES_LIMIT * limit);
}

/** The device has been still for so long that it no longer is by chance. */
export function isStuck({ stillness }: Finding, falseAlarms: number): boolean {
  return stillness <= TEST_SHARES.stillness * falseAlarms;
}

function isUneven({ mean, min, max }: DeviceSummary): boolean {
  return Math.abs(max + min - 2 * mean) > UNEVEN * (max - min);
}
