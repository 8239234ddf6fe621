import { FedloopError } from '../core/contracts/errors';
import { type Environment } from '../core/contracts/config';
import { type StreamSettings } from '../core/contracts/settings';
import { windowStartOf } from '../core/contracts/time';
import { microsOfText } from '../core/contracts/timestamps';
import { TOPICS } from '../core/contracts/topics';
import { type Kafka } from '../core/platform/kafka';
import { type Logger } from '../core/platform/log';
import { MAX_READINGS_PER_SECOND } from './constants';
import { type LiveGrid } from './events';
import { writeHistory } from './history';
import { planFleet, type FleetPlan } from './plan';
import { loadRecording } from './series';
import { type FleetSettings } from './settings';
import { historySnapshot } from './snapshot';

/** A fleet ready to play; it does not change any more. */
export interface Fleet {
  readonly plan: FleetPlan;
  readonly grid: LiveGrid;
  readonly settings: FleetSettings;
  readonly stream: StreamSettings;
}

export interface PrepareOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: FleetSettings;
  readonly stream: StreamSettings;
  readonly log: Logger;
}

/**
 * Load the recorded data and plan the fleet; writes nothing.
 * @throws FedloopError `InvalidData` for data that cannot be used, `InvalidInput` for more readings than milliseconds allow.
 */
export async function loadFleet(
  settings: FleetSettings,
  stream: StreamSettings,
  log: Logger,
): Promise<Fleet> {
  const grid = liveGrid(settings, stream);
  const { recording, files, unreadableRows, seriesLeftOut } = await loadRecording({
    directory: settings.data,
    labelColumn: settings.labelColumn,
    sensors: stream.task,
  });
  if (unreadableRows > 0)
    log.warn(
      { rows: unreadableRows },
      `rows without device, time or ${stream.task.target.sensor} were left out`,
    );
  if (seriesLeftOut > 0)
    log.warn({ series: seriesLeftOut }, 'series were left out: too few readings, or too many series');
  const plan = planFleet(recording, settings);
  log.info(
    { files: files.length, series: recording.series.length, devices: plan.devices.length },
    'planned the fleet',
  );
  return { plan, grid, settings, stream };
}

/**
 * Write everything before the first live window: the fleet's history and truth into `processed/`, and the last windows of every
 * device, as a hashed snapshot, into `device-history`. A second call changes nothing.
 * @throws FedloopError as `loadFleet`
 */
export async function prepareFleet(options: PrepareOptions): Promise<Fleet> {
  const { kafka, env, settings, stream, log } = options;
  const fleet = await loadFleet(settings, stream, log);
  const files = await writeHistory(fleet.plan, fleet.grid, env.FEDLOOP_PROCESSED);
  const partitions = (await kafka.offsets(TOPICS.stream.name)).length;
  const chunks = historySnapshot(fleet.plan, fleet.grid, partitions);
  const producer = await kafka.producer();
  try {
    await producer.send(
      TOPICS.history.name,
      chunks.map(({ partition, key, chunk }) => ({
        partition,
        key,
        value: JSON.stringify(chunk),
        timestampMillis: chunk.last_window_start / 1_000,
      })),
    );
  } finally {
    await producer.disconnect();
  }
  log.info({ files: files.length, snapshot: chunks[0]?.chunk.snapshot }, 'wrote the history of the fleet');
  return fleet;
}

/** @throws FedloopError `InvalidInput` when readings would share a millisecond. */
export function liveGrid(settings: FleetSettings, stream: StreamSettings): LiveGrid {
  const { windowMicros } = stream.task;
  const most = Math.floor((windowMicros / 1_000_000) * MAX_READINGS_PER_SECOND);
  if (settings.readingsPerWindow > most) {
    throw new FedloopError(
      'InvalidInput',
      `readingsPerWindow: ${settings.readingsPerWindow} do not fit in a window of ${windowMicros / 1_000_000} s; at most ${most} do`,
    );
  }
  return {
    liveStart: windowStartOf(microsOfText(settings.liveStart), windowMicros),
    windowMicros,
    readings: settings.readingsPerWindow,
    sensors: stream.task,
  };
}
