import { type SelectableDevice } from '../federation/panels/selection';
import {
  collectSamples,
  type SampleUnits,
  type Samples,
  type TargetRange,
} from '../federation/training/samples';
import { collectTrainingRows, type TrainingRows } from '../federation/training/training-rows';
import { type WindowRing } from '../federation/training/window-ring';
import { addRow, emptyFeatureSums, scalingOf, writeFeatures } from '../model/features';
import { type FeatureScaling } from '../model/types';
import { featureCount } from '../contracts/task';
import { type RoundWorld } from './world';

/** A fleet's past as a site remembers it. Each device is a cluster of its own: nothing is known of shared weather. */
export class RingWorld implements RoundWorld {
  constructor(
    private readonly ring: WindowRing,
    private readonly units: SampleUnits,
    private readonly trainingWindows: number,
  ) {}

  get devices(): readonly SelectableDevice[] {
    return this.ring.devices().map((deviceId) => ({ deviceId, cluster: deviceId }));
  }

  trainingRows(deviceIds: readonly string[], until: number): TrainingRows {
    return collectTrainingRows(this.ring, deviceIds, this.rangeOf(until, this.trainingWindows), this.units);
  }

  samples(until: number, windows: number, deviceIds: readonly string[]): Samples {
    return collectSamples(this.ring, deviceIds, this.rangeOf(until, windows), this.units);
  }

  private rangeOf(window: number, windows: number): TargetRange {
    return { until: window * this.ring.task.windowMicros, windows };
  }
}

/** Scaling of features from all that the ring remembers: what the first version is made with. */
export function scalingOfRing(ring: WindowRing): FeatureScaling {
  const { task } = ring;
  const sums = emptyFeatureSums(task);
  const row = new Float32Array(featureCount(task));
  for (const deviceId of ring.devices()) {
    const until = ring.newestWindow(deviceId);
    if (until === undefined) continue;
    const series = ring.seriesUntil(deviceId, until, ring.capacity);
    for (let latest = 0; latest < ring.capacity; latest += 1)
      if (writeFeatures(task, series, latest, row, 0)) addRow(sums, row, 0);
  }
  return scalingOf(task, sums);
}
