import { type z } from 'zod';
import { type EvaluationColumns } from '../../contracts/blocks';
import { type activationSchema } from '../../contracts/checkpoints';
import { type VersionId } from '../../contracts/ids';
import { type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { VersionAdapters } from '../adapters/version-adapters';
import { VersionAnomalies } from '../anomalies/version-anomalies';
import { WindowDetector } from '../anomalies/window-detector';
import { type DeviceSummary, usualVarianceOf } from '../windows/summary';
import { VersionErrors } from './confidence';
import { DeviceHistory } from './device-history';
import { type DetectedWindow, evaluateForecasts } from './comparison';
import { makeForecasts, type OutstandingForecasts, planForecasts, type PlannedForecasts } from './forecasts';
import { type ActiveVersion, scores } from './versions';

/** What a version begins with, as its activation says. */
type Beginnings = Readonly<
  Partial<Pick<z.infer<typeof activationSchema>, 'errors_from' | 'adapters' | 'anomalies'>>
>;

/** The live evaluator of one partition: its versions, their forecasts of the next window, and the errors of these. */
export class Evaluator {
  readonly history: DeviceHistory;
  /** In the order in which they were activated; a deactivated one stays until its last window has closed. */
  versions: ActiveVersion[] = [];
  outstanding: OutstandingForecasts | undefined;
  /** From the first window on which a version needs it; undefined before. */
  detector: WindowDetector | undefined;

  constructor(private readonly task: Task) {
    this.history = new DeviceHistory(task);
  }

  /** Begin to learn what is usual for the devices. */
  beginDetecting(): WindowDetector {
    this.detector ??= new WindowDetector(this.task.target.tolerance);
    return this.detector;
  }

  get inForce(): readonly VersionId[] {
    return this.versions.filter(({ until }) => until === Infinity).map(({ version }) => version);
  }

  /** Score `version` on every window that starts at `from` or later (null: on all). Does nothing when it is in force. */
  activate(
    version: VersionId,
    residualStddev: number | null,
    from: Micros | null,
    { errors_from: errorsFrom, adapters, anomalies }: Beginnings = {},
  ): void {
    if (this.inForce.includes(version)) return;
    this.versions.push({
      version,
      residualStddev,
      errorsFrom,
      from: from ?? -Infinity,
      until: Infinity,
      errors: new VersionErrors(residualStddev, this.task.target.tolerance),
      adapters: adapters === undefined ? undefined : new VersionAdapters(),
      anomalies: anomalies === undefined ? undefined : new VersionAnomalies(anomalies.false_alarms),
    });
  }

  /** Score `version` on no window that starts at `until` or later (null: on none at all). */
  deactivate(version: VersionId, until: Micros | null): void {
    const leaving = this.versions.find((active) => active.version === version && active.until === Infinity);
    if (leaving === undefined) return;
    if (until === null) this.versions = this.versions.filter((active) => active !== leaving);
    else leaving.until = until;
  }

  /** Forecasts to make of the window that closes next; undefined when there are none. Answer with `accept`. */
  plan(window: Micros, devicesInOrder: readonly number[]): PlannedForecasts | undefined {
    this.inheritErrors(window);
    this.inheritLearnt(window);
    return planForecasts(this.task, window, devicesInOrder, this.history, this.scoring(window));
  }

  accept(plan: PlannedForecasts, changes: Float32Array): void {
    const { window, versions: planned } = plan.request;
    const versions = this.scoring(window).filter(({ version }) => planned.includes(version));
    this.outstanding = makeForecasts(plan, changes, this.history, versions, this.task.target.tolerance);
  }

  /**
   * A window closes: compare its forecasts with it, and add it to the history.
   * @param out rows are appended here.
   * @returns devices in the window that some version should have forecast, and none could.
   */
  closeWindow(
    start: Micros,
    summaries: ReadonlyMap<number, DeviceSummary>,
    idOf: (device: number) => string,
    out: EvaluationColumns,
  ): number {
    const { history, task } = this;
    const versions = this.scoring(start);
    const forecasts = this.outstanding?.window === start ? this.outstanding : undefined;
    const detected = this.detect(start, summaries, versions);
    if (versions.length > 0 && forecasts !== undefined)
      evaluateForecasts({ forecasts, summaries, versions, idOf, history, task, detected, out });
    detected?.learn();
    for (const [device, summary] of summaries) {
      const { mean: target, covariates } = summary;
      history.record(device, start, { target, covariates, variance: usualVarianceOf(summary) });
    }
    this.outstanding = undefined;
    this.versions = this.versions.filter(({ until }) => until > start + task.windowMicros);
    if (versions.length === 0) return 0;
    return summaries.size - (forecasts?.devices.filter((device) => summaries.has(device)).length ?? 0);
  }

  /** Windows from `start` on close again: versions in force are scored on them, and those that were leaving have left. */
  resetTo(start: Micros): void {
    this.outstanding = undefined;
    this.versions = this.versions
      .filter(({ until }) => until === Infinity)
      .map((version) => ({ ...version, from: Math.min(version.from, start) }));
  }

  /**
   * A version that is about to forecast for the first time begins with what is known of the trained one before it: they differ by little, and held-out
   * residuals are of other weather. Not before, so that a replay, which learns of all versions at once, finds the same.
   */
  private inheritErrors(window: Micros): void {
    this.versions.forEach((version, place) => {
      if (version.errorsFrom === undefined || !version.errors.isNew || !scores(version, window)) return;
      const parent = this.versions
        .slice(0, place)
        .findLast(({ residualStddev, errors }) => residualStddev !== null && !errors.isNew);
      if (parent !== undefined) version.errors.restore(parent.errors.save());
    });
  }

  /** No row can depend on the device any more; another one may get its number. */
  forget(device: number): void {
    this.history.forget(device);
    this.detector?.pasts.sums.forget(device);
    for (const { adapters } of this.versions) adapters?.ridge.sums.forget(device);
  }

  /**
   * A version that is about to forecast for the first time begins with what the one before it has learnt: its adapters, and the tail of its errors. Not
   * sooner, so that a replay, which learns of all versions at once, finds the same.
   */
  private inheritLearnt(window: Micros): void {
    this.versions.forEach((version, place) => {
      if (!scores(version, window)) return;
      const before = this.versions.slice(0, place);
      inherit(
        version.adapters,
        before.map(({ adapters }) => adapters),
      );
      inherit(
        version.anomalies,
        before.map(({ anomalies }) => anomalies),
      );
    });
  }

  /** Devices beside their own pasts, where a version asks; those without a history are left out. */
  private detect(
    start: Micros,
    summaries: ReadonlyMap<number, DeviceSummary>,
    versions: readonly ActiveVersion[],
  ): (DetectedWindow & { learn(): void }) | undefined {
    const falseAlarms = versions.findLast(({ anomalies }) => anomalies)?.anomalies?.falseAlarms;
    if (falseAlarms === undefined) return undefined;
    const { history } = this;
    const detector = this.beginDetecting();
    const known = new Map([...summaries].filter(([device]) => history.has(device)));
    const before = start - this.task.windowMicros;
    const findings = detector.judge(
      known,
      (device) => history.usualVariance(device),
      (device) => (history.newest(device) === before ? history.latestMean(device) : NaN),
    );
    return {
      detector,
      findings,
      learn: () => {
        detector.learn(known, findings, falseAlarms);
      },
    };
  }

  private scoring(window: Micros): ActiveVersion[] {
    return this.versions.filter((version) => scores(version, window));
  }
}

/** @param before the same of the versions before, oldest first; undefined where one has none. */
function inherit<Learnt extends { readonly isNew: boolean; inherit(parent: Learnt): void }>(
  own: Learnt | undefined,
  before: readonly (Learnt | undefined)[],
): void {
  if (own?.isNew !== true) return;
  const parent = before.findLast((other) => other?.isNew === false);
  if (parent !== undefined) own.inherit(parent);
}
