import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

const FOLDER = resolve(__dirname, '../../../dashboards');
const promtool = (...words: readonly string[]): { readonly status: number | null; readonly said: string } => {
  const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: FOLDER, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
};
/** promtool comes with Prometheus; CI has it, a machine without it skips these by name. */
const withPromtool = promtool('--version').status === 0 ? it : it.skip;

describe('alert rules', () => {
  withPromtool('are valid', () => {
    expect(promtool('check', 'rules', 'rules.yml')).toMatchObject({ status: 0 });
  });

  withPromtool('fire when they should and are quiet when they should', () => {
    const { status, said } = promtool('test', 'rules', 'rules.test.yml');
    expect({ status, said }).toEqual({ status: 0, said: expect.stringContaining('SUCCESS') as string });
  });
});
