import { suggestedWindow } from '../../../core/contracts/readiness';
import { remedyOf } from '../../../core/contracts/remedies';
import { helpAgainst } from '../../../cli/status/fleet-status';

describe('what helps', () => {
  it('is said of every reason, and of a malformed or unmapped event by its detail, as check says it', () => {
    const help = (reason: string, detail: string | null): string | null =>
      helpAgainst({ reason, detail }, 'vibration');
    expect(help('late', null)).toContain('watermark');
    expect(help('malformed', 'missing-value')).toBe(remedyOf('missing-value', 'vibration'));
    expect(help('malformed', 'missing-device-id')).toContain('source.fields');
    expect(help('unmapped', 'missing-vibration')).toContain('path of the target');
  });

  it('is a look at such events where a reason is not known', () => {
    expect(helpAgainst({ reason: 'malformed', detail: 'new-detail' }, 'vibration')).toContain(
      'fedloop rejects list --reason malformed',
    );
    expect(helpAgainst({ reason: 'of-another-release', detail: null }, 'vibration')).toBeNull();
  });

  it('is a window with four readings for a sensor that sends once a minute', () => {
    expect(suggestedWindow(60, 60)).toBe(300);
    expect(suggestedWindow(5, 150)).toBe(300);
    expect(suggestedWindow(86_400, 86_400)).toBeNull();
  });
});
