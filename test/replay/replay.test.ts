import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, makeTelemetryFilterString, Runtime, Worker } from '@temporalio/worker';
import { runFromText } from '../support/histories';
import { savedCommits, savedHistories } from '../support/saved-run';

/**
 * Histories of every workflow on every path, replayed on the code as it is: what fails here would break runs in flight. A change that is meant
 * is made with `patched`, or recorded anew (`npm run record:histories`) when no run of the old code can be left.
 */
const HISTORIES = readdirSync(__dirname).filter((name) => name.endsWith('.json'));
/** Some forty histories in a row, on a busy machine. */
const REPLAYS_MILLIS = 60_000;
const BUNDLE = join(__dirname, '../../dist/workflow-bundle.js');

function replay(text: string): Promise<void> {
  const { workflowId, history } = runFromText(text);
  const workflowBundle = { code: readFileSync(BUNDLE, 'utf8') };
  return Worker.runReplayHistory({ workflowBundle }, history, workflowId);
}

beforeAll(() => {
  Runtime.install({
    logger: new DefaultLogger('ERROR'),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
});

it.each(HISTORIES)('replays %s', async (name) => {
  await replay(readFileSync(join(__dirname, name), 'utf8'));
});

it.each(savedCommits())(
  'replays what ran on %s, and may be under way when it is replaced',
  async (commit) => {
    const histories = savedHistories(commit);
    expect(histories.length).toBeGreaterThan(30);
    for (const text of histories) await replay(text);
  },
  REPLAYS_MILLIS,
);

it('fails on a history that the code does not follow', async () => {
  const text = readFileSync(join(__dirname, 'round-promoted.json'), 'utf8');
  await expect(replay(text.replaceAll('"trainLocals"', '"teachLocals"'))).rejects.toThrow(
    /[Nn]ondeterminism/,
  );
});

it.each(['federatedRound', 'federatedTraining', 'continuousEvaluation', 'batchAnalytics'])(
  'has histories of %s',
  (workflow) => {
    const recorded = HISTORIES.map((name) => readFileSync(join(__dirname, name), 'utf8'));
    expect(recorded.some((text) => text.includes(`"name": "${workflow}"`))).toBe(true);
  },
);

it.each(['round-promoted', 'round-first'])('%s stays under 100 events', (name) => {
  const { history } = runFromText(readFileSync(join(__dirname, `${name}.json`), 'utf8'));
  expect(history.events?.length).toBeLessThan(100);
});
