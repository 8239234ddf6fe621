import { suggestedWindow } from '../../../core/contracts/readiness';
import { remedyFor } from '../../../cli/status/remedies';

describe('what helps', () => {
  it('is said of every reason, and of a malformed event by its detail', () => {
    expect(remedyFor('late', null)).toContain('watermark');
    expect(remedyFor('malformed', 'missing-timestamp')).toBe('name the field that has the time');
    expect(remedyFor('malformed', 'missing-vibration')).toBe('name the field that has the target');
    expect(remedyFor('malformed', 'missing-device-id')).toBe('name the field that has the id');
    expect(remedyFor('malformed', 'bad-device-id')).toBe('a text of 1 to 256 characters');
    expect(remedyFor('malformed', 'new-detail')).toContain('rejected_rows');
    expect(remedyFor('of-another-release', null)).toBeNull();
  });

  it('is a window with four readings for a sensor that sends once a minute', () => {
    expect(suggestedWindow(60, 60)).toBe(300);
    expect(suggestedWindow(5, 150)).toBe(300);
    expect(suggestedWindow(86_400, 86_400)).toBeNull();
  });
});
