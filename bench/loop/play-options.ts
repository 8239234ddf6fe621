/** How long a run is, and how late. */
export interface PlayOptions {
  readonly seed: number;
  readonly rounds: number;
  readonly windowsPerRound: number;
  readonly participants: number | 'all';
}

/**
 * The real latency in windows. When window w is closed, events of the next two have been read (the watermark), so a new version is first
 * scored on w + 3; that one window it spends in shadow, and it serves from w + 4 on.
 */
export const WATERMARK_WINDOWS = 2;
export const SHADOW_WINDOWS = 1;
