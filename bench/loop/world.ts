import { type Samples, writeSample } from '../../core/federation/training/samples';
import { type SelectableDevice } from '../../core/federation/panels/selection';
import { typicalSums } from '../../core/federation/training/feature-sums';
import { type TrainingRows, whyNot } from '../../core/federation/training/training-rows';
import { windowSeries } from '../../fleet/means';
import { planFleet, type DevicePlan, type FleetPlan } from '../../fleet/plan';
import { type Recording } from '../../fleet/recording';
import { type Clock, type Scenario } from '../../fleet/settings';
import { addRow, emptyFeatureSums, scaleFeatures, scalingOf } from '../../core/model/features';
import { type DeviceSeries, type FeatureScaling } from '../../core/model/types';
import { FEATURES, TASK, WINDOWS_BEFORE_TARGETS } from './task';

export interface WorldOptions {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly seed: number;
  readonly devices: number;
  /** Windows to train on, all before the first live one. */
  readonly trainingWindows: number;
  readonly liveWindows: number;
  /** First live window after the scenario's change. */
  readonly changeWindow: number;
  readonly tolerance: number;
  /** What liars send instead of their readings. */
  readonly lies?: ReadingLies;
  /** Places of devices that send nothing before live window `from`, nor have a past. */
  readonly joining?: { readonly places: ReadonlySet<number>; readonly from: number };
  /** Sites that devices are dealt to; left out: one. */
  readonly sites?: number;
}

export interface ReadingLies {
  /** The place of the device whose readings are sent; the device's own where it does not replay. */
  readonly source: (place: number) => number;
  /** The means that are sent for the true ones, the first of which is of live window `first`. */
  readonly means: (place: number, truth: Float64Array, first: number) => Float64Array;
}

export interface WorldDevice extends SelectableDevice {
  readonly healthy: boolean;
  /** Factor of an attacker's update; 1 = honest. */
  readonly updateFactor: number;
}

/**
 * A fleet's whole life as samples, made once and played by every contender: one sample a device and window, with the product's
 * own features and scaling. Live windows count from 0, those to train on are negative.
 */
export class World {
  readonly devices: readonly WorldDevice[];
  private readonly placeOf: ReadonlyMap<string, number>;
  private readonly windows: number;
  /** Scaled features [devices, windows, 29], changes in tolerances [devices, windows], and whether there is a sample. */
  private readonly x: Float32Array;
  private readonly y: Float32Array;
  private readonly there: Uint8Array;
  private readonly scaling: FeatureScaling;

  constructor(
    recording: Recording,
    readonly options: WorldOptions,
  ) {
    const { trainingWindows, liveWindows } = options;
    const plan = planFleet(recording, {
      ...options,
      historyWindows: trainingWindows + WINDOWS_BEFORE_TARGETS,
    });
    this.devices = plan.devices.map((device) => ({
      deviceId: device.id,
      cluster: String(device.slot),
      healthy: device.fault === 'none' && device.updateFactor === 1,
      updateFactor: device.updateFactor,
    }));
    this.placeOf = new Map(this.devices.map(({ deviceId }, place) => [deviceId, place]));
    this.windows = trainingWindows + liveWindows;
    const most = plan.devices.length * this.windows;
    this.x = new Float32Array(most * FEATURES);
    this.y = new Float32Array(most);
    this.there = new Uint8Array(most);
    plan.devices.forEach((device, place) => {
      this.fill(plan, plan.devices[options.lies?.source(place) ?? place] ?? device, place);
    });
    this.scaling = this.ownScaling();
    scaleFeatures(this.x, most, this.scaling);
  }

  siteOf(deviceId: string): number {
    return (this.placeOf.get(deviceId) ?? 0) % (this.options.sites ?? 1);
  }

  /** The devices that have sent something by the end of live window `until`. */
  devicesAt(until: number): readonly WorldDevice[] {
    const { joining } = this.options;
    if (joining === undefined || until >= joining.from) return this.devices;
    return this.devices.filter((_, place) => !joining.places.has(place));
  }

  /** Rows of the devices' training windows up to and including live window `until`. */
  trainingRows(deviceIds: readonly string[], until: number): TrainingRows {
    const windows = this.options.trainingWindows;
    const kept: string[] = [];
    const rows: number[] = [];
    const leftOut: TrainingRows['leftOut'] = [];
    const x = new Float32Array(deviceIds.length * windows * FEATURES);
    const y = new Float32Array(deviceIds.length * windows);
    const isSample = new Float32Array(deviceIds.length * windows);
    for (const deviceId of deviceIds) {
      const from = this.sampleOf(deviceId, until - windows + 1);
      const there = this.there.subarray(from, from + windows);
      const targets = this.y.subarray(from, from + windows);
      const own = targets.filter((_, window) => there[window] === 1);
      const reason = whyNot(own, windows);
      if (reason !== null) {
        leftOut.push({ device_id: deviceId, reason });
        continue;
      }
      const at = kept.length * windows;
      x.set(this.x.subarray(from * FEATURES, (from + windows) * FEATURES), at * FEATURES);
      y.set(targets, at);
      isSample.set(there, at);
      kept.push(deviceId);
      rows.push(own.length);
    }
    const total = kept.length * windows;
    return {
      deviceIds: kept,
      leftOut,
      rows,
      x: x.subarray(0, total * FEATURES),
      y: y.subarray(0, total),
      isSample: isSample.subarray(0, total),
    };
  }

  /** Samples of the devices' `windows` windows up to and including live window `until`; all devices when none are named. */
  samples(until: number, windows: number, deviceIds?: readonly string[]): Samples {
    const ids = deviceIds ?? this.devices.map(({ deviceId }) => deviceId);
    const most = ids.length * windows;
    const x = new Float32Array(most * FEATURES);
    const y = new Float32Array(most);
    const device = new Int32Array(most);
    const age = new Int32Array(most);
    let count = 0;
    ids.forEach((deviceId, place) => {
      const from = this.sampleOf(deviceId, until - windows + 1);
      for (let window = 0; window < windows; window += 1) {
        const at = from + window;
        if (this.there[at] !== 1) continue;
        x.set(this.x.subarray(at * FEATURES, (at + 1) * FEATURES), count * FEATURES);
        y[count] = this.y[at] ?? NaN;
        device[count] = place;
        age[count] = windows - 1 - window;
        count += 1;
      }
    });
    return {
      count,
      x: x.subarray(0, count * FEATURES),
      y: y.subarray(0, count),
      device: device.subarray(0, count),
      age: age.subarray(0, count),
    };
  }

  /** A change of the target before the sample's window, in tolerances; lag 0 is the last one. */
  changeOf({ x }: Samples, at: number, lag: number): number {
    return ((x[at * FEATURES + lag] ?? NaN) * (this.scaling.scale[lag] ?? NaN)) / this.options.tolerance;
  }

  /** Where the sample of a device and live window lies. */
  private sampleOf(deviceId: string, window: number): number {
    const place = this.placeOf.get(deviceId);
    const index = window + this.options.trainingWindows;
    if (place === undefined || index < 0 || index >= this.windows) {
      throw new RangeError(`there is no window ${window} of ${deviceId}`);
    }
    return place * this.windows + index;
  }

  /**
   * All samples of one device. In `season` the fleet is another one after the change, so the lags of its first windows come from
   * the new hours; a jump of 25 °C inside of them would be an artefact.
   */
  private fill(plan: FleetPlan, device: DevicePlan, place: number): void {
    const { scenario, changeWindow, trainingWindows, liveWindows } = this.options;
    const moves = scenario === 'season' && changeWindow < liveWindows;
    const first = -trainingWindows;
    const until = moves ? changeWindow : liveWindows;
    this.write(
      windowSeries(plan, device, first - WINDOWS_BEFORE_TARGETS, until - first + WINDOWS_BEFORE_TARGETS),
      place,
      first,
    );
    if (!moves) return;
    const after = liveWindows - changeWindow + WINDOWS_BEFORE_TARGETS;
    this.write(
      windowSeries(plan, device, changeWindow - WINDOWS_BEFORE_TARGETS, after, 'settled'),
      place,
      changeWindow,
    );
  }

  private write(series: DeviceSeries, place: number, firstTarget: number): void {
    const from = place * this.windows + firstTarget + this.options.trainingWindows;
    const targets = series.target.length - WINDOWS_BEFORE_TARGETS;
    const { lies, joining } = this.options;
    // The lags of its first samples are of windows in which it sent.
    const sampledFrom =
      joining?.places.has(place) === true ? joining.from + WINDOWS_BEFORE_TARGETS : -Infinity;
    const first = firstTarget - WINDOWS_BEFORE_TARGETS;
    const target = lies?.means(place, series.target, first) ?? series.target;
    const withActual = { ...series, target, actual: target };
    for (let at = 0; at < targets; at += 1) {
      const written = writeSample(TASK, withActual, at, this.options.tolerance, this.x, this.y, from + at);
      this.there[from + at] = written && firstTarget + at >= sampledFrom ? 1 : 0;
    }
  }

  /** As v0's scaling is made: from what is known before the first live window. */
  private ownScaling(): FeatureScaling {
    const sums = this.devices.map((_, place) => {
      const own = emptyFeatureSums(TASK);
      for (let window = 0; window < this.options.trainingWindows; window += 1) {
        const sample = place * this.windows + window;
        if (this.there[sample] === 1) addRow(own, this.x, sample * FEATURES);
      }
      return own;
    });
    return scalingOf(TASK, typicalSums(TASK, sums));
  }
}
