import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inputOf } from '../../../cli/system/presets';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-presets-'));
  writeFileSync(
    join(folder, 'fedloop.yaml'),
    'presets:\n  nightly: {windows: 12, gate: {margin: 0.001}}\n  quick: {windows: 3}\n',
  );
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const given = (options: Parameters<typeof inputOf>[1]): Promise<unknown> =>
  inputOf({ env: {}, folder }, options);

describe('the input of a round', () => {
  it('is what was given, or nothing', async () => {
    expect(await given({})).toBeUndefined();
    expect(await given({ input: { windows: 4 } })).toEqual({ windows: 4 });
  });

  it('is a preset of the deployment file, which what was given beside changes', async () => {
    expect(await given({ preset: 'quick' })).toEqual({ windows: 3 });
    const input = { windows: 6, gate: { minWindows: 2 } };
    expect(await given({ preset: 'nightly', input })).toEqual({
      windows: 6,
      gate: { margin: 0.001, minWindows: 2 },
    });
  });

  it('cannot be a preset that is not there, and the error says which are', async () => {
    await expect(given({ preset: 'daily' })).rejects.toMatchObject({
      code: 'NotFound',
      message: 'the deployment file has no preset "daily"',
      hint: 'It has nightly, quick.',
    });
    // What every object inherits is no preset.
    await expect(given({ preset: 'constructor' })).rejects.toMatchObject({ code: 'NotFound' });
  });
});
