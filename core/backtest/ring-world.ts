import { type SelectableDevice } from '../federation/panels/selection';
import { featuresOf, typicalSums } from '../federation/training/feature-sums';
import {
  collectSamples,
  type SampleUnits,
  type Samples,
  type TargetRange,
} from '../federation/training/samples';
import { collectTrainingRows, type TrainingRows } from '../federation/training/training-rows';
import { type WindowRing } from '../federation/training/window-ring';
import { scalingOf } from '../model/features';
import { type FeatureScaling } from '../model/types';
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
  const sums = ring.devices().map((deviceId) => featuresOf(ring, deviceId));
  return scalingOf(ring.task, typicalSums(ring.task, sums));
}
