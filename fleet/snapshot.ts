import { createHash } from 'node:crypto';
import { type HistoryChunk } from '../core/contracts/blocks';
import { covariateColumns } from '../core/contracts/task';
import { type Micros } from '../core/contracts/time';
import { partitionOf } from '../core/platform/kafka';
import { DEVICES_PER_SNAPSHOT_CHUNK, SNAPSHOT_WINDOWS } from './constants';
import { covariateDecimals, roundTo, targetDecimals } from './event-text';
import { type LiveGrid } from './events';
import { windowSeries } from './means';
import { type FleetPlan } from './plan';

/** A chunk of the snapshot and where it goes. */
export interface AddressedChunk {
  readonly partition: number;
  /** Names the snapshot, so that publishing it again replaces it, and another one never does: partitions may have begun with it. */
  readonly key: string;
  readonly chunk: HistoryChunk;
}

type DeviceHistory = HistoryChunk['devices'][number];

/**
 * The last 24 windows of every device before it goes live, as `device-history` carries them, by partition of the device.
 * `stddev` is null: one logged reading a window shows nothing of the spread inside it. The hash is over all devices in the
 * plan's order, and how they are spread: partitions that are added must not change what others began with.
 */
export function historySnapshot(
  plan: FleetPlan,
  grid: LiveGrid,
  partitions: number,
): readonly AddressedChunk[] {
  const columns = covariateColumns(grid.sensors);
  const devices = plan.devices.map((device): DeviceHistory => {
    const { target, covariates } = windowSeries(plan, device, -SNAPSHOT_WINDOWS, SNAPSHOT_WINDOWS);
    return {
      device_id: device.id,
      avg: newestFirst(target, () => targetDecimals(grid.sensors)),
      ...Object.fromEntries(
        covariates.map((means, index) => [columns[index] ?? '', newestFirst(means, covariateDecimals)]),
      ),
      stddev: null,
    };
  });
  const lastWindow: Micros = grid.liveStart - grid.windowMicros;
  const snapshot = createHash('sha256')
    .update(JSON.stringify([lastWindow, grid.windowMicros, partitions, devices]))
    .digest('hex');
  const byPartition = new Map<number, DeviceHistory[]>();
  for (const device of devices) {
    const partition = partitionOf(device.device_id, partitions);
    const there = byPartition.get(partition);
    if (there === undefined) byPartition.set(partition, [device]);
    else there.push(device);
  }
  return [...byPartition].flatMap(([partition, there]) =>
    chunksOf(there).map((some, number, all) => ({
      partition,
      key: `history/${partition}/${snapshot}/${number}`,
      chunk: {
        type: 'history',
        snapshot,
        chunks: all.length,
        last_window_start: lastWindow,
        window_micros: grid.windowMicros,
        devices: some,
      },
    })),
  );
}

function newestFirst(values: Float64Array, decimalsOf: (value: number) => number): (number | null)[] {
  return Array.from(values, (value) =>
    Number.isNaN(value) ? null : roundTo(decimalsOf(value), value),
  ).reverse();
}

function chunksOf(devices: readonly DeviceHistory[]): DeviceHistory[][] {
  const count = Math.ceil(devices.length / DEVICES_PER_SNAPSHOT_CHUNK);
  return Array.from({ length: count }, (_, chunk) =>
    devices.slice(chunk * DEVICES_PER_SNAPSHOT_CHUNK, (chunk + 1) * DEVICES_PER_SNAPSHOT_CHUNK),
  );
}
