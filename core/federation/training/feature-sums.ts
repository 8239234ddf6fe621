import { type FeatureSums } from '../../contracts/site-reports';
import { featureCount } from '../../contracts/task';
import { addRow, writeFeatures } from '../../model/features';
import { fillHeldMeans } from '../../model/held-means';
import { type WindowRing } from './window-ring';

/** Add every feature of all windows that the ring remembers of a device. */
export function addFeaturesOf(ring: WindowRing, deviceId: string, sums: FeatureSums): void {
  const { task, capacity } = ring;
  const until = ring.newestWindow(deviceId);
  if (until === undefined) return;
  const series = ring.seriesUntil(deviceId, until, capacity);
  fillHeldMeans(task, series);
  const row = new Float32Array(featureCount(task));
  for (let latest = 0; latest < capacity; latest += 1)
    if (writeFeatures(task, series, latest, row, 0)) addRow(sums, row, 0);
}
