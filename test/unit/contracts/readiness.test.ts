import { fleetReadiness, whatRoundNeeds, type SiteReadiness } from '../../../core/contracts/readiness';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { microsOfText } from '../../../core/contracts/timestamps';

const { task } = DEFAULT_STREAM_SETTINGS;
const ready: SiteReadiness = {
  devices: 100,
  silent: 0,
  tooSparse: 0,
  trainable: 100,
  rows: 1_200,
  windows: 32,
  latestWindow: microsOfText('2026-03-01T21:00:00Z'),
};
/** Half a minute after the watermark has closed the latest window. */
const NOW = microsOfText('2026-03-01T21:02:00Z');

function needs(site: Partial<SiteReadiness>, now: number | null = NOW): string | null {
  return whatRoundNeeds(fleetReadiness([{ ...ready, ...site }], task, 2), DEFAULT_STREAM_SETTINGS, now);
}

describe('what a round still needs', () => {
  it('is nothing after lags + 8 windows', () => {
    expect(needs({})).toBeNull();
    expect(needs({ windows: 31 })).not.toBeNull();
  });

  it('says how many windows there are, and when the first round is possible', () => {
    // 19 windows of 30 s behind 21:00:30, and a watermark of a minute: 21:11.
    expect(needs({ windows: 13 })).toBe('13 of 32 windows, first round about 21:11 UTC');
  });

  it('says the day where it is another one', () => {
    const late = { windows: 13, latestWindow: microsOfText('2026-03-01T23:55:00Z') };
    expect(needs(late, microsOfText('2026-03-01T23:57:00Z'))).toBe(
      '13 of 32 windows, first round about 2026-03-02 00:06 UTC',
    );
  });

  it('says windows only where they do not close by the wall clock, or none has closed', () => {
    expect(needs({ windows: 13 }, microsOfText('2026-05-01'))).toBe('13 of 32 windows');
    expect(needs({ windows: 13 }, microsOfText('2026-02-01'))).toBe('13 of 32 windows');
    expect(needs({ windows: 13 }, null)).toBe('13 of 32 windows');
    expect(needs({ devices: 0, trainable: 0, rows: 0, windows: 0, latestWindow: null })).toBe(
      '0 of 32 windows',
    );
  });

  it('names what more windows cannot mend', () => {
    expect(needs({ devices: 0, silent: 100 })).toMatch(/^all 100 devices are silent/);
    expect(needs({ tooSparse: 100, windows: 0 })).toMatch(
      /lacks too many of its latest windows of 30 s; wait for new ones, or use a longer window/,
    );
    expect(needs({ trainable: 4 })).toBe(
      '4 devices have enough windows, and a round needs 5: 3 judge, the others train',
    );
    expect(needs({ rows: 31 })).toBe('the fleet has 31 rows to train and judge on, and a round needs 32');
  });

  it('adds up sites, and does not stop the others for one that has just joined', () => {
    const young = { ...ready, devices: 5, trainable: 0, rows: 0, windows: 2 };
    expect(whatRoundNeeds(fleetReadiness([ready, young], task, 2), DEFAULT_STREAM_SETTINGS, NOW)).toBeNull();
  });
});
