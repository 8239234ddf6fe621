import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly string[];
  readonly skipped: readonly { readonly group: string; readonly tests: number; readonly needs: string }[];
}
type Reporter = new () => { onRunComplete(contexts: unknown, results: unknown): void };
const OutcomeReporter = jest.requireActual<Reporter>('../../support/outcome-reporter.js');
const { describeSkipped } = jest.requireActual<{ describeSkipped: (groups: Outcome['skipped']) => string }>(
  '../../support/outcome-reporter.js',
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-outcome-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** What the reporter leaves of a run in which a file had these tests. */
function outcomeOf(tests: readonly object[], counts = {}): Outcome {
  const file = join(folder, 'outcome.json');
  const before = process.env['FEDLOOP_TEST_OUTCOME'];
  process.env['FEDLOOP_TEST_OUTCOME'] = file;
  try {
    new OutcomeReporter().onRunComplete(undefined, {
      numPassedTests: 1,
      numFailedTests: 0,
      numRuntimeErrorTestSuites: 0,
      testResults: [{ testFilePath: join(process.cwd(), 'test/a.test.ts'), testResults: tests }],
      ...counts,
    });
  } finally {
    if (before === undefined) delete process.env['FEDLOOP_TEST_OUTCOME'];
    else process.env['FEDLOOP_TEST_OUTCOME'] = before;
  }
  return JSON.parse(readFileSync(file, 'utf8')) as Outcome;
}

describe('the outcome of a test run', () => {
  it('names each skipped group once, with its tests and what would run it', () => {
    const skipped = (title: string, ...ancestorTitles: readonly string[]): object => ({
      status: 'pending',
      ancestorTitles,
      title,
    });
    const rules = 'alert rules [needs: Debian package prometheus]';
    const outcome = outcomeOf([
      { status: 'passed', ancestorTitles: ['alert rules'], title: 'are there' },
      skipped('are valid', 'the loop', rules),
      skipped('fire', 'the loop', rules, 'on a bad day'),
      skipped('runs', 'a model [needs: Debian package python3-venv]'),
    ]);
    expect(outcome.skipped).toEqual([
      { group: 'alert rules', tests: 2, needs: 'Debian package prometheus' },
      { group: 'a model', tests: 1, needs: 'Debian package python3-venv' },
    ]);
    expect(describeSkipped(outcome.skipped)).toBe(
      '3 skipped:\n  2 of "alert rules" need: Debian package prometheus\n  1 of "a model" need: Debian package python3-venv\n',
    );
  });

  it('names each failed test by its file, and a file that could not be run', () => {
    const failed = { status: 'failed', ancestorTitles: ['rules'], title: 'fire', fullName: 'rules fire' };
    expect(outcomeOf([failed]).failures).toEqual(['test/a.test.ts › rules fire']);
    const unreadable = {
      testFilePath: join(process.cwd(), 'test/b.test.ts'),
      testResults: [],
      testExecError: {},
    };
    expect(outcomeOf([], { testResults: [unreadable] }).failures).toEqual(['test/b.test.ts']);
  });

  it('counts a file that cannot be loaded as a failure', () => {
    expect(outcomeOf([], { numFailedTests: 2, numRuntimeErrorTestSuites: 1 })).toEqual({
      passed: 1,
      failed: 3,
      failures: [],
      skipped: [],
    });
  });

  it('says nothing of skipped tests where there are none', () => {
    expect(describeSkipped([])).toBe('');
  });
});
