import { federatedRoundInputSchema, windowsTimeoutMillis } from '../../../core/contracts/rounds';

const HOUR = 3_600_000;
const input = federatedRoundInputSchema.parse({});

describe('the wait for a round’s live windows', () => {
  it('is an hour where windows are short, as before, and where nothing is known of them', () => {
    expect(windowsTimeoutMillis(input, { windowMillis: 30_000, closesAfterMillis: 90_000 })).toBe(HOUR);
    expect(windowsTimeoutMillis(input, {})).toBe(HOUR);
  });

  it('is twice what all windows take that it may be judged on', () => {
    const wait = windowsTimeoutMillis(input, { windowMillis: HOUR, closesAfterMillis: 60_000 });
    expect(wait).toBe(2 * (13 * HOUR + 60_000));
  });

  it('is what the input says', () => {
    expect(windowsTimeoutMillis({ ...input, windowsTimeout: '2m' }, { windowMillis: HOUR })).toBe(120_000);
  });
});
