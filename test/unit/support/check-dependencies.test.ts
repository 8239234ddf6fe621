import { forbidden, isAllowed, readAudit } from '../../support/check-dependencies';

describe('licences', () => {
  it.each([
    ['MIT', true],
    ['(MIT OR GPL-3.0)', true],
    ['Apache-2.0 AND BSL-1.0', true],
    ['Apache-2.0 AND GPL-3.0', false],
    ['GPL-3.0', false],
    ['SEE LICENSE IN LICENSE', false],
    [undefined, false],
  ])('%s: %s', (license, allowed) => {
    expect(isAllowed(license)).toBe(allowed);
  });

  it('count of what is run with, wherever they stand', () => {
    const packages = {
      '': { license: 'X' },
      'node_modules/tool': { license: 'GPL-3.0', dev: true },
      'node_modules/a': { license: 'MIT' },
      'node_modules/b': {},
      'node_modules/c': {},
    };
    const found = forbidden({ packages }, (path) => (path === 'node_modules/b' ? 'ISC' : undefined));
    expect(found).toEqual([{ path: 'node_modules/c', license: undefined }]);
  });
});

describe('an audit', () => {
  it('that could not be made is not one that found nothing', () => {
    expect(readAudit('{"message":"405 Method Not Allowed","error":{"summary":"","detail":""}}')).toEqual({
      unreachable: '405 Method Not Allowed',
    });
    expect(readAudit('')).toEqual({ unreachable: 'npm audit gave no JSON' });
  });

  it('names what is high or critical', () => {
    const vulnerabilities = { a: { severity: 'high' }, b: { severity: 'low' } };
    const metadata = { vulnerabilities: { high: 1, low: 1 } };
    expect(readAudit(JSON.stringify({ vulnerabilities, metadata }))).toEqual({ findings: ['a (high)'] });
    expect(readAudit(JSON.stringify({ vulnerabilities: {}, metadata }))).toEqual({ findings: [] });
  });
});
