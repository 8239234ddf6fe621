import { ServiceError } from '@temporalio/client';
import { silentProgress } from '../../../cli/progress';
import { resultOf } from '../../../cli/temporal/workflow-result';

/** What the client throws once its own attempts are used up. */
function silence(): Error {
  const cause = Object.assign(new Error('14 UNAVAILABLE: no connection'), {
    code: 14,
    details: 'no connection',
    metadata: {},
  });
  return new ServiceError('Failed to get Workflow execution history', { cause });
}

/** A workflow whose server answers as it is told, one answer a call. */
function workflow(results: readonly unknown[], descriptions: readonly unknown[] = []) {
  const [nextResult, nextDescription] = [[...results], [...descriptions]];
  const answer = (next: unknown[]): Promise<never> => {
    const one = next.shift();
    return one instanceof Error ? Promise.reject(one) : Promise.resolve(one as never);
  };
  return { result: () => answer(nextResult), describe: () => answer(nextDescription) };
}

const notes: string[] = [];
const session = {
  signal: new AbortController().signal,
  progress: { ...silentProgress, note: (line: string) => void notes.push(line) },
};
const limits = (temporalAwayMillis: number) => ({ temporalAwayMillis, progressPollMillis: 1 });

beforeEach(() => {
  notes.length = 0;
});

describe('waiting for a workflow', () => {
  it('goes on when its server was away meanwhile, and says so once', async () => {
    const handle = workflow([silence(), 'done'], [silence(), silence(), {}]);
    expect(await resultOf(handle, 'the round', session, limits(60_000))).toBe('done');
    expect(notes).toEqual(['Temporal does not answer; the round goes on when it is back.']);
  });

  it('ends when the server stays away, without calling the workflow failed', async () => {
    await expect(
      resultOf(workflow([silence()], [silence()]), 'the round', session, limits(0)),
    ).rejects.toMatchObject({
      code: 'ServerUnavailable',
      message: 'Temporal stays away; the round waits for it',
    });
  });

  it('hands on what the workflow failed with', async () => {
    const failure = new Error('too few updates');
    await expect(resultOf(workflow([failure]), 'the round', session, limits(60_000))).rejects.toBe(failure);
    expect(notes).toEqual([]);
  });
});
