import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describeWith, PROMETHEUS } from '../../support/requirements';

const FOLDER = resolve(__dirname, '../../../dashboards');
const promtool = (...words: readonly string[]): { readonly status: number | null; readonly said: string } => {
  const { status, stdout, stderr } = spawnSync('promtool', words, { cwd: FOLDER, encoding: 'utf8' });
  return { status, said: `${stdout}${stderr}` };
};

describeWith(PROMETHEUS, 'alert rules', () => {
  it('are valid', () => {
    expect(promtool('check', 'rules', 'rules.yml')).toMatchObject({ status: 0 });
  });

  it('fire when they should and are quiet when they should', () => {
    const { status, said } = promtool('test', 'rules', 'rules.test.yml');
    expect({ status, said }).toEqual({ status: 0, said: expect.stringContaining('SUCCESS') as string });
  });
});
