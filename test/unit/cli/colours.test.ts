import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';

const FEDLOOP = resolve(__dirname, '../../../bin/fedloop.js');
const ESCAPE = '\u001b[';

/** What a pipe is given, in surroundings of one's own. */
function piped(surroundings: Readonly<Record<string, string>>): string {
  const { PATH = '' } = process.env;
  return execFileSync(process.execPath, [FEDLOOP, 'strategies'], {
    encoding: 'utf8',
    env: { PATH, ...surroundings },
  });
}

describe('colours', () => {
  it.each([{}, { CI: 'true' }, { FORCE_COLOR: '1', NO_COLOR: '1' }])(
    'stay out of a pipe with %j',
    (surroundings) => {
      expect(piped(surroundings)).not.toContain(ESCAPE);
    },
  );

  it('are in a pipe whose owner asks for them', () => {
    expect(piped({ FORCE_COLOR: '1' })).toContain(ESCAPE);
  });
});
