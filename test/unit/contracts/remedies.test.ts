import { VERDICTS } from '../../../core/contracts/blocks';
import { MALFORMED_REASONS } from '../../../core/contracts/events';
import { REMEDIES, remedyOf } from '../../../core/contracts/remedies';

describe('what helps against rejects', () => {
  const fields = ['device-id', 'timestamp', 'record-timestamp', 'label', 'vibration', 'value'];
  const reasons = [
    ...VERDICTS.filter((verdict) => verdict !== 'windowed'),
    ...MALFORMED_REASONS,
    'no-readings',
    'session-lost',
    ...fields.map((field) => `bad-${field}`),
    ...['device-id', 'timestamp', 'vibration', 'value'].map((field) => `missing-${field}`),
  ];

  it.each(reasons)('is one sentence for %s', (reason) => {
    expect(remedyOf(reason)).toMatch(/^[A-Za-z].*\.$/);
  });

  it('is said of nothing that is no reason', () => {
    const named = Object.keys(REMEDIES).filter((reason) => !reason.endsWith('*'));
    expect(named.filter((reason) => !reasons.includes(reason))).toEqual([]);
    expect(remedyOf('of-another-release')).toBeUndefined();
  });

  it('tells the fields of an event from the target, whatever that is called', () => {
    expect(remedyOf('missing-device-id')).toContain('path');
    expect(remedyOf('missing-device-id')).not.toContain('target');
    expect(remedyOf('missing-value')).toContain('target');
    expect(remedyOf('missing-value')).not.toBe(remedyOf('sentinel-value'));
  });

  it('is the same whatever hint stands behind the reason', () => {
    expect(remedyOf('implausible-time: epoch seconds?')).toBe(remedyOf('implausible-time'));
  });
});
