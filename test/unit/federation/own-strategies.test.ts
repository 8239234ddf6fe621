import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { federatedRoundInputSchema } from '../../../core/contracts/rounds';
import { ownStrategySchema, roundStrategySchema } from '../../../core/contracts/strategies';
import { type Update } from '../../../core/federation/strategies/own/define-strategy';
import { locateStrategy } from '../../../core/federation/strategies/own/module-file';
import { type CheckedStep } from '../../../core/federation/strategies/own/check-step';
import { RunningStrategy, type StartOptions } from '../../../core/federation/strategies/own/running-strategy';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fedloop-strategies-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

const update = (delta: readonly number[], rows = 1): Update => ({
  deviceId: `device-${delta.join()}`,
  delta: Float32Array.from(delta),
  rows,
  localSteps: 5,
  selfReportedAccuracy: 0.8,
  baseLoss: 1,
  realAccuracy: { recent: null, long: 0.5 },
});

const errorOf = (work: () => Promise<unknown>): Promise<unknown> =>
  work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );

const UPDATES = [update([1, 2], 1), update([3, 6], 3)];
const MEAN = `const mean = (updates) => updates[0].delta.map((_, at) => updates.reduce((sum, { delta }) => sum + delta[at], 0) / updates.length);`;

/** The step that a module makes of two updates. */
async function stepOf(
  name: string,
  settings: Readonly<Record<string, number>> = {},
  options: StartOptions = {},
): Promise<CheckedStep> {
  const module = await locateStrategy(folder, ownStrategySchema.parse(name));
  const running = await RunningStrategy.start(module, options);
  try {
    const context = { base: new Float32Array(2), round: 3, learningRate: 0.1, steps: 0, state: {} };
    return await running.aggregate({ updates: UPDATES, context, settings });
  } finally {
    running.close();
  }
}

/** What a module of this text fails with. */
async function failureOf(text: string, options: StartOptions = {}): Promise<unknown> {
  await write('mine.js', text);
  return errorOf(() => stepOf('./mine.js', {}, options));
}

describe('the name of a strategy of one’s own', () => {
  it.each(['./mine.js', './a/b/mine-2.mjs', './mine.cjs', 'package:mine', 'package:@plant/mine', 'fedavg'])(
    'can be %s',
    (name) => {
      expect(federatedRoundInputSchema.parse({ strategy: name }).strategy).toBe(name);
    },
  );

  it.each([
    '../mine.js',
    './../mine.js',
    './a/../../mine.js',
    './a//mine.js',
    './.hidden/mine.js',
    '/etc/mine.js',
    'mine.js',
    './mine.json',
    './mine.js\u0000',
    './a\\mine.js',
    'file:///mine.js',
    'package:../mine',
    'package:@a/b/c',
    'package:.mine',
    `./${'a'.repeat(200)}.js`,
    'fedsgd',
    '__proto__',
  ])('cannot be %j, and a round says what there is', (strategy) => {
    const read = federatedRoundInputSchema.safeParse({ strategy });
    expect(read.error?.issues[0]?.path).toEqual(['strategy']);
    expect(roundStrategySchema.safeParse(strategy).error?.issues[0]?.message).toMatch(
      /^unknown strategy .*; there are closed-loop, .*; one of your own is "\.\/FILE\.js" or "package:NAME"$/s,
    );
  });

  it('takes no noise', () => {
    const privacy = { noiseMultiplier: 1, clipNorm: 1 };
    const read = federatedRoundInputSchema.safeParse({ strategy: './mine.js', privacy });
    expect(read.error?.issues[0]?.message).toMatch(/^Gaussian noise protects nobody/);
  });
});

describe('a module', () => {
  it.each([
    ['mine.js', `${MEAN} module.exports = { aggregate: (updates) => ({ delta: mean(updates) }) };`],
    ['mine.js', `${MEAN} exports.aggregate = (updates) => ({ delta: mean(updates) });`],
    ['mine.mjs', `${MEAN} export default { aggregate: async (updates) => ({ delta: [...mean(updates)] }) };`],
    [
      'mine.mjs',
      `${MEAN} export const aggregate = (updates) => ({ delta: Float64Array.from(mean(updates)) });`,
    ],
    [
      'deep/mine.cjs',
      `${MEAN} class Mine { mean = mean; aggregate(updates) { return { delta: this.mean(updates) }; } } module.exports = new Mine();`,
    ],
  ])('%s can export a strategy in every way that JavaScript has: %s', async (path, text) => {
    await write(path, text);
    const { delta, weights, state } = await stepOf(`./${path}`);
    expect([...delta]).toEqual([2, 4]);
    expect([...weights]).toEqual([0.5, 0.5]);
    expect(state).toEqual({});
  });

  it('is given updates, context and settings, and gives back shares and state', async () => {
    await write(
      'mine.js',
      `module.exports = {
        settings: { factor: { default: 2, min: 0, max: 9 }, plus: { default: 1 } },
        aggregate(updates, context, settings) {
          const said = [updates[1].deviceId, updates[1].rows, updates[1].localSteps, updates[1].realAccuracy, context.round, context.learningRate, context.steps, settings];
          if (JSON.stringify(said) !== '["device-3,6",3,5,{"recent":null,"long":0.5},3,0.1,0,{"factor":3,"plus":1}]') throw new Error(JSON.stringify(said));
          return { delta: [settings.factor, 0], weights: [1, 3], state: { m: Float32Array.of(7, 8) } };
        },
      };`,
    );
    const { delta, weights, state } = await stepOf('./mine.js', { factor: 3 });
    expect([[...delta], [...weights], [...state['m']!]]).toEqual([
      [3, 0],
      [0.25, 0.75],
      [7, 8],
    ]);
    expect(await errorOf(() => stepOf('./mine.js', { factr: 1 }))).toMatchObject({
      code: 'InvalidInput',
      message: 'strategySettings of ./mine.js is not valid: unknown field "factr" (did you mean "factor"?)',
    });
    expect(await errorOf(() => stepOf('./mine.js', { factor: 10 }))).toMatchObject({ code: 'InvalidInput' });
  });

  it('does not see the credentials of the worker', async () => {
    process.env['KAFKA_SASL_PASSWORD'] = 'secret';
    try {
      expect(
        await failureOf(
          'exports.aggregate = () => { throw new Error(String(process.env.KAFKA_SASL_PASSWORD)); };',
        ),
      ).toMatchObject({ message: expect.stringContaining('Error: undefined') as string });
    } finally {
      delete process.env['KAFKA_SASL_PASSWORD'];
    }
  });

  it('of a package is found by its package.json, in the folder alone', async () => {
    const text = `${MEAN} export const aggregate = (updates) => ({ delta: mean(updates) });`;
    await write('node_modules/@plant/mine/lib/main.mjs', text);
    const manifest = { exports: { '.': { types: './x.d.ts', import: './lib/main.mjs' } } };
    await write('node_modules/@plant/mine/package.json', JSON.stringify(manifest));
    expect([...(await stepOf('package:@plant/mine')).delta]).toEqual([2, 4]);
    expect(await errorOf(() => stepOf('package:zod'))).toMatchObject({
      code: 'NotFound',
      message: expect.stringContaining('there is no package zod in') as string,
    });
  });

  it('is named by the hash of its file', async () => {
    await write('mine.js', 'exports.aggregate = () => 1;');
    const { sha256 } = await locateStrategy(folder, ownStrategySchema.parse('./mine.js'));
    expect(sha256).toBe(createHash('sha256').update('exports.aggregate = () => 1;').digest('hex'));
  });
});

describe('where a module lies', () => {
  it('is refused without a folder that allows it, with the sentence that says what to set', async () => {
    const name = ownStrategySchema.parse('./mine.js');
    expect(await errorOf(() => locateStrategy(undefined, name))).toMatchObject({
      code: 'InvalidConfig',
      message: 'strategy ./mine.js: this rounds worker allows no strategies of your own',
      hint: 'Start it with FEDLOOP_STRATEGIES=FOLDER, the folder with the modules that it may load.',
    });
    expect(await errorOf(() => locateStrategy(join(folder, 'none'), name))).toMatchObject({
      code: 'InvalidConfig',
    });
  });

  it.each(['file', 'folder', 'package'])('is not outside by a symbolic link: %s', async (kind) => {
    const outside = await mkdtemp(join(tmpdir(), 'fedloop-outside-'));
    await writeFile(join(outside, 'mine.js'), 'exports.aggregate = () => 1;');
    await writeFile(join(outside, 'package.json'), '{"main": "mine.js"}');
    await mkdir(join(folder, 'node_modules'));
    if (kind === 'file') await symlink(join(outside, 'mine.js'), join(folder, 'mine.js'));
    if (kind === 'folder') await symlink(outside, join(folder, 'a'));
    if (kind === 'package') await symlink(outside, join(folder, 'node_modules', 'mine'));
    const name = { file: './mine.js', folder: './a/mine.js', package: 'package:mine' }[kind]!;
    expect(await errorOf(() => locateStrategy(folder, ownStrategySchema.parse(name)))).toMatchObject({
      code: 'InvalidInput',
      message: `strategy ${name}: it lies outside of ${folder}`,
    });
    await rm(outside, { recursive: true });
  });

  it('is not outside by what a package says of itself', async () => {
    await write('node_modules/mine/package.json', JSON.stringify({ main: '../../../../etc/passwd' }));
    await expect(locateStrategy(folder, ownStrategySchema.parse('package:mine'))).rejects.toThrow();
    await write('inner/mine.js', '');
    await write('inner/node_modules/mine/package.json', JSON.stringify({ main: '../../../outer.js' }));
    await write('outer.js', '');
    expect(
      await errorOf(() => locateStrategy(join(folder, 'inner'), ownStrategySchema.parse('package:mine'))),
    ).toMatchObject({ code: 'InvalidInput' });
  });

  it('is found through a link to another place in the folder, and is no folder', async () => {
    await write('real.js', 'exports.aggregate = () => 1;');
    await symlink(join(folder, 'real.js'), join(folder, 'mine.js'));
    expect((await locateStrategy(folder, ownStrategySchema.parse('./mine.js'))).file).toBe(
      join(folder, 'real.js'),
    );
    await mkdir(join(folder, 'dir.js'));
    await expect(locateStrategy(folder, ownStrategySchema.parse('./dir.js'))).rejects.toThrow('not a file');
    await expect(locateStrategy(folder, ownStrategySchema.parse('./none.js'))).rejects.toMatchObject({
      code: 'NotFound',
    });
  });
});

describe('a module that fails', () => {
  const quick = { loadLimitMillis: 20_000, stepLimitMillis: 20_000 };
  const aggregate = (body: string): string => `exports.aggregate = (updates) => {\n  ${body}\n};`;
  it.each([
    [
      'throws',
      aggregate('return updates.map(({ delta }) => delta.nothing.here);'),
      /^strategy \.\/mine\.js: TypeError: .*here.* \(mine\.js:2\)$/,
    ],
    ['throws no error', aggregate('throw null;'), /: it threw null$/],
    ['throws while it is loaded', '\n\nnull.nothing;', /: TypeError: .* \(mine\.js:3\)$/],
    ['is no JavaScript', '\nconst = 5;', /: SyntaxError: .* \(mine\.js:2\)$/],
    [
      'rejects',
      'exports.aggregate = async () => {\n\n throw new RangeError("no"); };',
      /: RangeError: no \(mine\.js:3\)$/,
    ],
    [
      'throws behind its back',
      aggregate('setTimeout(() => { throw new Error("late"); }); return new Promise(() => {});'),
      /: Error: late \(mine\.js:2\)$/,
    ],
    [
      'exports nothing',
      '',
      /: Error: the module exports no function aggregate\(updates, context, settings\)$/,
    ],
    [
      'has no settings',
      'exports.aggregate = () => 1; exports.settings = { beta: 1 };',
      /: what the module exports is not valid: settings\.beta: /,
    ],
    [
      'has a default beyond its range',
      'exports.aggregate = () => 1; exports.settings = { beta: { default: 2, max: 1 } };',
      /its default lies outside of min and max/,
    ],
    [
      'returns nothing',
      aggregate(''),
      /: aggregate returned no object; it must return \{delta, weights, state\}/,
    ],
    ['returns no delta', aggregate('return {};'), /: the step’s delta is missing$/],
    [
      'returns a delta of another length',
      aggregate('return { delta: [1, 2, 3] };'),
      /: the step’s delta has 3 numbers, not 2, one a parameter$/,
    ],
    [
      'returns texts',
      aggregate('return { delta: ["1", "2"] };'),
      /: the step’s delta has something else than a number at place 0$/,
    ],
    [
      'returns NaN',
      aggregate('return { delta: [1, NaN] };'),
      /: the step’s delta has a number that is not finite at place 1: NaN$/,
    ],
    [
      'returns numbers beyond single precision',
      aggregate('return { delta: [1e39, 0] };'),
      /not finite at place 0: 1e\+39$/,
    ],
    [
      'returns negative shares',
      aggregate('return { delta: [1, 1], weights: [2, -1] };'),
      /: the step’s weights has a negative number at place 1$/,
    ],
    [
      'returns too few shares',
      aggregate('return { delta: [1, 1], weights: [1] };'),
      /has 1 numbers, not 2, one an update$/,
    ],
    [
      'returns a state of another length',
      aggregate('return { delta: [1, 1], state: { m: [1] } };'),
      /: the step’s state "m" has 1 numbers, not 2/,
    ],
    [
      'returns a list as state',
      aggregate('return { delta: [1, 1], state: [1] };'),
      /: the step’s state is no object of vectors by name$/,
    ],
    ['returns what cannot be sent', aggregate('return { delta: () => 1 };'), /: .*could not be cloned/],
    ['ends its process', aggregate('process.exit(3);'), /: the module ended its process \(exit code 3\)$/],
    [
      'ends its process while it is loaded',
      'process.exit(0);',
      /: the module ended its process \(exit code 0\)$/,
    ],
    [
      'kills its process',
      aggregate('process.kill(process.pid, "SIGKILL");'),
      /: its process was ended by SIGKILL/,
    ],
    [
      'speaks out of turn',
      'process.send({ type: "nonsense" }); exports.aggregate = () => 1;',
      /: it sent a message that is no answer$/,
    ],
  ])(
    'because it %s fails the round with its name, and its line where there is one',
    async (_, text, message) => {
      const failure = await failureOf(text, quick);
      expect(failure).toMatchObject({
        code: 'StrategyFailed',
        message: expect.stringMatching(message) as string,
      });
    },
  );

  it.each([
    ['hangs', aggregate('for (;;) {}'), 'it did not make a step within 0.4 s, and was ended'],
    [
      'never answers',
      aggregate('return new Promise(() => {});'),
      'it did not make a step within 0.4 s, and was ended',
    ],
  ])('because it %s is ended', async (_, text, message) => {
    expect(await failureOf(text, { stepLimitMillis: 400 })).toMatchObject({
      code: 'StrategyFailed',
      message: `strategy ./mine.js: ${message}`,
    });
  });

  it('because it hangs while it is loaded is ended', async () => {
    expect(await failureOf('for (;;) {}', { loadLimitMillis: 400 })).toMatchObject({
      message: 'strategy ./mine.js: it did not load within 0.4 s, and was ended',
    });
  });

  it('because its file is another one than was looked at is refused', async () => {
    await write('mine.js', 'exports.aggregate = () => 1;');
    const module = await locateStrategy(folder, ownStrategySchema.parse('./mine.js'));
    await write('mine.js', 'exports.aggregate = () => 2;');
    await expect(RunningStrategy.start(module)).rejects.toThrow('the file was changed while it was loaded');
    expect(await readFile(module.file, 'utf8')).toContain('2');
  });
});
