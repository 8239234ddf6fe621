import { type EvaluationColumns } from '../../contracts/blocks';
import { type VersionId } from '../../contracts/ids';
import { type Task } from '../../contracts/task';
import { type Micros } from '../../contracts/time';
import { type DeviceSummary, usualVarianceOf } from '../windows/summary';
import { VersionErrors } from './confidence';
import { DeviceHistory } from './device-history';
import {
  evaluateForecasts,
  makeForecasts,
  type OutstandingForecasts,
  planForecasts,
  type PlannedForecasts,
} from './forecasts';
import { type ActiveVersion, scores } from './versions';

/** The live evaluator of one partition: the versions in force, their forecasts of the next window, and how those turn out. */
export class Evaluator {
  readonly history: DeviceHistory;
  /** Versions in force, in the order in which they came. */
  versions: ActiveVersion[] = [];
  outstanding: OutstandingForecasts | undefined;

  constructor(private readonly task: Task) {
    this.history = new DeviceHistory(task);
  }

  /** Score `version` on every window that starts at `from` or later (null: on all). Does nothing when it is in force. */
  activate(version: VersionId, residualStddev: number | null, from: Micros | null): void {
    if (this.versions.some((active) => active.version === version && active.until === Infinity)) return;
    this.versions.push({
      version,
      residualStddev,
      from: from ?? -Infinity,
      until: Infinity,
      errors: new VersionErrors(residualStddev, this.task.target.tolerance),
    });
  }

  /** Score `version` on no window that starts at `until` or later (null: on none at all). */
  deactivate(version: VersionId, until: Micros | null): void {
    const isMeant = (active: ActiveVersion): boolean =>
      active.version === version && active.until === Infinity;
    if (until === null) this.versions = this.versions.filter((active) => !isMeant(active));
    for (const active of this.versions) if (isMeant(active)) active.until = until ?? Infinity;
  }

  /** What to ask the models of a window that is next to close; undefined when there is nothing to ask. Answer with `accept`. */
  plan(window: Micros, devicesInOrder: readonly number[]): PlannedForecasts | undefined {
    const versions = this.versions.filter((version) => scores(version, window));
    return planForecasts(this.task, window, devicesInOrder, this.history, versions);
  }

  accept(plan: PlannedForecasts, changes: Float32Array): void {
    const { window, versions: asked } = plan.request;
    const versions = this.versions.filter(
      (version) => scores(version, window) && asked.includes(version.version),
    );
    this.outstanding = makeForecasts(plan, changes, this.history, versions, this.task.target.tolerance);
  }

  /**
   * A window closes: compare its forecasts with what came, and remember it for the next ones.
   * @param out rows are appended here.
   * @returns devices in the window that some version should have forecast, and none could.
   */
  closeWindow(
    start: Micros,
    summaries: ReadonlyMap<number, DeviceSummary>,
    idOf: (device: number) => string,
    out: EvaluationColumns,
  ): number {
    const missing = this.compare(start, summaries, idOf, out);
    for (const [device, summary] of summaries) {
      const { mean: target, covariates } = summary;
      this.history.record(device, start, { target, covariates, variance: usualVarianceOf(summary) });
    }
    this.outstanding = undefined;
    this.versions = this.versions.filter(({ until }) => until > start + this.task.windowMicros);
    return missing;
  }

  private compare(
    start: Micros,
    summaries: ReadonlyMap<number, DeviceSummary>,
    idOf: (device: number) => string,
    out: EvaluationColumns,
  ): number {
    if (!this.versions.some((version) => scores(version, start))) return 0;
    const forecasts = this.outstanding?.window === start ? this.outstanding : undefined;
    if (forecasts === undefined) return summaries.size;
    evaluateForecasts({
      forecasts,
      actualOf: (device) => summaries.get(device),
      idOf,
      history: this.history,
      versionOf: (name) => this.versions.find((active) => active.version === name && scores(active, start)),
      tolerance: this.task.target.tolerance,
      out,
    });
    return summaries.size - forecasts.devices.filter((device) => summaries.has(device)).length;
  }
}
