import { spawnSync } from 'node:child_process';
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';
import { listStrategies } from '../../../core/federation/strategies';
import { moduleAt } from '../../../core/federation/strategies/own/module-file';
import { checkStrategy, type CheckResult } from '../../../core/federation/strategy-check/check-strategy';
import { builtInSubject, ownSubject } from '../../../core/federation/strategy-check/subjects';

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'fedloop-strategies-')));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function checked(file: string): Promise<readonly CheckResult[]> {
  const module = await moduleAt('./mine.js', await realpath(join(file, '..')), file);
  return checkStrategy(ownSubject(module, {}, { stepLimitMillis: 5_000 }));
}

/** The checks that a module of this text does not pass, with what they say. */
async function unpassed(body: string): Promise<Readonly<Record<string, string>>> {
  const file = join(folder, 'mine.js');
  await writeFile(
    file,
    `let calls = 0;
     const mean = (updates) => updates[0].delta.map((_, at) => updates.reduce((sum, { delta }) => sum + delta[at], 0) / updates.length);
     exports.aggregate = (updates, context) => { calls += 1; ${body} };`,
  );
  const results = await checked(file);
  const others = results.filter(({ state }) => state !== 'passed');
  return Object.fromEntries(others.map(({ check, state, text }) => [check, `${state}: ${text}`]));
}

const COMPARE_PAIRS = ['multi-krum', 'bulyan'];

it.each(listStrategies().map((strategy) => [strategy.name, strategy] as const))(
  '%s holds to the contract of strategies',
  async (name, strategy) => {
    const results = await checkStrategy(builtInSubject(strategy));
    const others = results.filter(({ state }) => state !== 'passed');
    expect(others.map(({ check, state }) => `${check} ${state}`)).toEqual(
      COMPARE_PAIRS.includes(name) ? ['one participant refused'] : [],
    );
  },
);

it.each(['norm-bounded.js', 'momentum.mjs'])('the example %s holds to the contract', async (name) => {
  const results = await checked(packageFile('examples', 'strategies', name));
  expect(results).toHaveLength(8);
  for (const result of results) expect(result).toMatchObject({ state: 'passed' });
});

it('the examples fit the types of fedloop/strategy', () => {
  const compiler = packageFile('node_modules', 'typescript', 'bin', 'tsc');
  const options = [
    '--allowJs',
    '--checkJs',
    '--noEmit',
    '--strict',
    '--skipLibCheck',
    '--target',
    'es2022',
    '--module',
    'node16',
  ];
  const example = packageFile('examples', 'strategies', 'norm-bounded.js');
  const { status, stdout } = spawnSync(process.execPath, [compiler, ...options, example], {
    encoding: 'utf8',
  });
  expect([stdout, status]).toEqual(['', 0]);
});

it.each([
  [
    'another step each time',
    'return { delta: mean(updates).map((value) => value + calls) };',
    ['determinism', 'order'],
  ],
  ['the first participant alone', 'return { delta: updates[0].delta };', ['order']],
  [
    'a division by what may be zero',
    'const length = Math.hypot(...mean(updates)); return { delta: mean(updates).map((value) => value / length) };',
    ['zero updates'],
  ],
  [
    'updates changed in place',
    'const delta = mean(updates); updates[0].delta.fill(0.5); return { delta };',
    ['input'],
  ],
  ['context changed in place', 'context.base.fill(0); return { delta: mean(updates) };', ['input']],
  [
    'a second participant',
    'return { delta: updates[1].delta.map((value) => 0 * value) };',
    ['one participant'],
  ],
  [
    'what was there in the first round alone',
    'if (context.steps > 0) return {}; return { delta: mean(updates), state: { m: mean(updates) } };',
    ['memory'],
  ],
])('a strategy that needs %s fails the check that says so', async (_, body, checks) => {
  const found = await unpassed(body);
  expect(Object.keys(found)).toEqual(checks);
  for (const text of Object.values(found)) expect(text).toMatch(/^failed: /);
});

it('a strategy may refuse one participant in words, and then is not said to fail', async () => {
  const body = 'if (updates.length < 2) throw new Error("two are needed"); return { delta: mean(updates) };';
  expect(await unpassed(body)).toEqual({
    'one participant': 'refused: strategy ./mine.js: Error: two are needed (mine.js:3)',
  });
});

it('a strategy that ends its process fails each check that it does so in, and the others go on', async () => {
  const body = 'if (updates.length === 1) process.exit(1); return { delta: mean(updates) };';
  expect(await unpassed(body)).toEqual({
    'one participant': 'failed: strategy ./mine.js: the module ended its process (exit code 1)',
  });
});
