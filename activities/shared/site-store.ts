import { analysisBlockSchema } from '../../core/contracts/blocks';
import { type Environment } from '../../core/contracts/config';
import { type StreamSettings } from '../../core/contracts/settings';
import { TOPICS } from '../../core/contracts/topics';
import { type SelectableDevice } from '../../core/federation/panels/selection';
import { WindowRing } from '../../core/federation/training/window-ring';
import { type IncomingRecord, type Kafka, type Tail } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import { parseJson } from '../../core/stream/parse/json';
import { readDeviceSlots, readProcessedWindows } from '../../core/warehouse/batch/processed-windows';

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

/** History from `processed/`, then every window that the stream worker closes. The first write of a window wins. */
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
  const ring = new WindowRing({ windowMicros: settings.windowMicros });
  for await (const windows of readProcessedWindows(env.FEDLOOP_PROCESSED, settings.windowMicros)) {
    for (const { deviceId, windowStart, avg, humidity, pressure } of windows) {
      if (belongs(deviceId)) ring.put(deviceId, windowStart, avg, humidity, pressure);
    }
  }
  const clusters = await readDeviceSlots(env.FEDLOOP_PROCESSED);
  log.info(
    { devices: ring.size, clusters: new Set(clusters.values()).size },
    'the history of the site’s devices is read',
  );

  const tail: Tail = await kafka.tail({
    topic: TOPICS.analysis.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) remember(record, ring, belongs, log);
    },
  });
  await tail.caughtUp;
  return {
    ring,
    clustersAreShared: clusters.size > 0,
    devices: () =>
      ring.devices().map((deviceId) => ({ deviceId, cluster: clusters.get(deviceId) ?? deviceId })),
    sync: () => tail.sync(),
    close: () => tail.close(),
  };
}

function remember(
  record: IncomingRecord,
  ring: WindowRing,
  belongs: (deviceId: string) => boolean,
  log: Logger,
): void {
  const block = analysisBlockSchema.safeParse(record.value === null ? undefined : parseJson(record.value));
  if (!block.success) {
    // The fence of a partition's new owner has no rows.
    log.debug(
      { partition: record.partition, offset: record.offset },
      'passed over a record of stream-analysis-results',
    );
    return;
  }
  const { window_start: windowStart, columns } = block.data;
  columns.device_id.forEach((deviceId, row) => {
    if (!belongs(deviceId)) return;
    ring.put(
      deviceId,
      windowStart,
      columns.avg[row] ?? NaN,
      columns.humidity_avg[row] ?? null,
      columns.pressure_avg[row] ?? null,
    );
  });
}
