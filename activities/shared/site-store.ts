import { historyChunkSchema } from '../../core/contracts/blocks';
import { type Environment } from '../../core/contracts/config';
import { type StreamSettings } from '../../core/contracts/settings';
import { eventTopic } from '../../core/contracts/source';
import { covariateColumns } from '../../core/contracts/task';
import { TOPICS } from '../../core/contracts/topics';
import { type SelectableDevice } from '../../core/federation/panels/selection';
import { WindowRing } from '../../core/federation/training/window-ring';
import { type IncomingRecord, type Kafka, type Tail } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import { readDeviceSlots, readProcessedWindows } from '../../core/warehouse/batch/processed-windows';
import { LogOrigins } from '../../core/warehouse/sink/origins';
import { parseJson } from '../../core/contracts/validation';
import { rememberBlocks } from './site-blocks';

/** What a site knows of its devices: their last windows, and the cluster of each. */
export interface SiteStore {
  readonly ring: WindowRing;
  devices(): readonly SelectableDevice[];
  /** Whether a cluster can have devices at several sites: then `select` must see it. */
  readonly clustersAreShared: boolean;
  /** Everything the stream worker had written when this was called is in the ring. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/**
 * History from `processed/` and from `device-history`, then every window that the stream worker closes. The first write of a window wins,
 * but a live window always takes the place of one from `device-history`.
 */
export async function openSiteStore(options: {
  readonly env: Environment;
  readonly kafka: Kafka;
  readonly log: Logger;
  readonly settings: StreamSettings;
}): Promise<SiteStore> {
  const { env, kafka, log, settings } = options;
  const belongs = (deviceId: string): boolean =>
    env.FEDLOOP_SITE_PREFIXES.length === 0 ||
    env.FEDLOOP_SITE_PREFIXES.some((prefix) => deviceId.startsWith(prefix));
  const { task } = settings;
  const ring = new WindowRing(task);
  for await (const windows of readProcessedWindows(env.FEDLOOP_PROCESSED, task)) {
    for (const { deviceId, windowStart, target, covariates } of windows) {
      if (belongs(deviceId)) ring.put(deviceId, windowStart, target, covariates);
    }
  }
  const clusters = await readDeviceSlots(env.FEDLOOP_PROCESSED);
  log.info(
    { devices: ring.size, clusters: new Set(clusters.values()).size },
    'the history of the site’s devices is read',
  );

  const history = await followHistory(kafka, ring, belongs, log);
  const origins = await LogOrigins.follow(kafka, eventTopic(settings.source), settings.futureMicros);
  const remember = rememberBlocks(ring, belongs, origins, log);
  const tail: Tail = await kafka.tail({
    topic: TOPICS.analysis.name,
    from: 'start',
    onRecords: remember,
  });
  await tail.caughtUp;
  return {
    ring,
    clustersAreShared: clusters.size > 0,
    devices: () =>
      ring.devices().map((deviceId) => ({ deviceId, cluster: clusters.get(deviceId) ?? deviceId })),
    async sync() {
      await Promise.all([tail.sync(), history.sync()]);
    },
    async close() {
      await Promise.all([tail.close(), history.close(), origins.close()]);
    },
  };
}

/** Histories that are imported while the site runs enter its ring as well. */
async function followHistory(
  kafka: Kafka,
  ring: WindowRing,
  belongs: (deviceId: string) => boolean,
  log: Logger,
): Promise<Tail> {
  const remember = rememberHistory(ring, belongs, log);
  const tail = await kafka.tail({
    topic: TOPICS.history.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) remember(record);
    },
  });
  await tail.caughtUp;
  return tail;
}

/** A chunk on another grid of windows has other means, and is left out. */
function rememberHistory(
  ring: WindowRing,
  belongs: (deviceId: string) => boolean,
  log: Logger,
): (record: IncomingRecord) => void {
  const schema = historyChunkSchema(ring.task);
  const covariateNames = covariateColumns(ring.task);
  const { windowMicros } = ring.task;
  return ({ partition, offset, value }) => {
    if (value === null) return;
    const chunk = schema.safeParse(parseJson(value));
    const lastStart = chunk.data?.last_window_start ?? NaN;
    if (chunk.data?.window_micros !== windowMicros || lastStart % windowMicros !== 0) {
      log.warn({ partition, offset }, 'passed over a record of device-history');
      return;
    }
    for (const { device_id: deviceId, avg, ...means } of chunk.data.devices) {
      if (!belongs(deviceId)) continue;
      const covariates = covariateNames.map((name) => means[name]);
      for (const [back, target] of avg.entries()) {
        if (target === null) continue;
        const start = lastStart - back * windowMicros;
        ring.put(
          deviceId,
          start,
          target,
          covariates.map((column) => column?.[back]),
          'history',
        );
      }
    }
  };
}
