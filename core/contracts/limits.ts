/**
 * Limits that decide which rows there are. Every process of a deployment must have the same ones, so they are logged with its settings,
 * and a worker that finds others there refuses to run. Changing one changes rows: a history recorded before is then replayed otherwise.
 */
export const ROW_LIMITS = {
  /** A sensor's event has about 150 bytes; one far beyond that is a mistake or an attack, and is not worth parsing. */
  eventBytes: 64 * 1024,
  /** Containers inside containers in one event: real ones have two or three. */
  eventDepth: 16,
  /** Characters (Unicode code points) of a device id, in events and in files. */
  deviceIdCharacters: 256,
  /** Largest size of a reading, in events and in files: beyond it a square no longer fits a double, and a mean or a deviation becomes Infinity. */
  reading: 1e150,
  /** |Z| above which a reading counts as an outlier of its window, unless the deployment sets another. */
  outlierZ: 2.5,
  /** Two-sided significance of Grubbs' test, and the fewest readings for it. */
  grubbsAlpha: 0.001,
  grubbsMinReadings: 7,
  /** How far from the forecast, in its standard deviations, a reading makes the window a predicted anomaly. */
  predictedAnomalyZ: 2.5,
  /** A mean that moved by more than this share of the tolerance is `rising` or `falling`. */
  regimeShareOfTolerance: 0.5,
  /**
   * Distinct devices in one window of one partition. 100,000 ids flooding in are let through and measured; a flood ten times that is
   * not. About 250 bytes each.
   */
  devicesPerWindow: 250_000,
  /** Readings in one window of one partition: 64 MB, 140,000 events/s with windows of 30 s. */
  readingsPerWindow: 4_194_304,
  /** Devices of one partition whose lags are kept: about 800 bytes each. Others get window rows, but no forecasts. */
  devicesWithHistory: 100_000,
  /** Windows of one partition open at once: watermark ÷ window decides how many there are, and each has a price in memory. */
  openWindows: 10_000,
  /** Empty windows in a row that are written one by one; after a longer gap only the last is. */
  emptyWindowsWritten: 120,
} as const;

/**
 * Bounds on the events of one partition that wait for others to confirm their time. They decide rows too, of deployments with a quorum of
 * clocks. A gateway's ten minutes of one reading a second are 600 events; beyond the bounds the ones furthest ahead are `future`.
 */
export const ASIDE_LIMITS = { events: 16_384, bytes: 8 * 1024 * 1024 } as const;

/** A mark of the byte order at a text's beginning: decoders take it away, so that two devices would read alike. */
const BYTE_ORDER_MARK = '\ufeff';

/** Whether a text is short enough for a device id, has something in it, and reads as it was written. */
export function isDeviceIdText(id: string): boolean {
  if (id.startsWith(BYTE_ORDER_MARK)) return false;
  // A character has at most two UTF-16 units, so most texts need no counting.
  const { deviceIdCharacters: most } = ROW_LIMITS;
  return id.length > 0 && (id.length <= most || (id.length <= 2 * most && Array.from(id).length <= most));
}
