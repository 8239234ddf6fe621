import { type PartitionOffsets, type CommittedPlace } from '../../../core/platform/kafka';
import { TOPICS } from '../../../core/contracts/topics';
import {
  areDecisionsLost,
  requireDecisions,
  requireWholeLogs,
} from '../../../core/stream/ownership/lost-decisions';

const WHOLE = { low: 0, mayHaveBeenRead: true, results: 40, committed: 900 };

describe('decisions that rows were made under', () => {
  it.each([
    ['are there where the log begins at its beginning', WHOLE, false],
    ['are lost where it begins later', { ...WHOLE, low: 44 }, true],
    [
      'are lost where by the log nobody has read the partition, but the group has',
      { ...WHOLE, mayHaveBeenRead: false },
      true,
    ],
    ['are none before the first row', { low: 44, mayHaveBeenRead: false, results: 0, committed: 900 }, false],
    [
      'are none where strangers alone have written results',
      { ...WHOLE, mayHaveBeenRead: false, committed: 0 },
      false,
    ],
    [
      'are none where strangers alone have committed',
      { ...WHOLE, mayHaveBeenRead: false, results: 0 },
      false,
    ],
  ])('%s', (_, traces, lost) => {
    expect(areDecisionsLost(traces)).toBe(lost);
  });
});

/** A broker whose partition 0 has 40 results, and an event topic that was read to offset 900. */
function brokerWith(checkpoints: Omit<PartitionOffsets, 'partition'>) {
  return {
    offsets: (topic: string): Promise<readonly PartitionOffsets[]> =>
      Promise.resolve([
        { partition: 0, ...(topic === TOPICS.checkpoints.name ? checkpoints : { low: 0, high: 40 }) },
      ]),
    committed: (): Promise<readonly CommittedPlace[]> =>
      Promise.resolve([{ partition: 0, offset: 900, isOurs: true }]),
  };
}

it('a partition whose decisions are gone is not read, with what happened and what to do', async () => {
  const claiming = requireDecisions(brokerWith({ low: 44, high: 44 }), 0, {
    eventTopic: TOPICS.stream.name,
    mayHaveBeenRead: false,
  });
  await expect(claiming).rejects.toMatchObject({
    code: 'InvalidData',
    message:
      'decisions of partition 0 are gone: stream-checkpoints begins at offset 44, and there is no checkpoint',
    hint: expect.stringContaining('Bring the topic back as it was') as string,
  });
});

it('a log that lost decisions cannot be verified against, and says which', async () => {
  await expect(requireWholeLogs(brokerWith({ low: 0, high: 44 }))).resolves.toBeUndefined();
  await expect(requireWholeLogs(brokerWith({ low: 3, high: 44 }))).rejects.toMatchObject({
    code: 'InvalidData',
    message:
      'decisions of partition 0 are gone: stream-checkpoints begins at offset 3; the rows made under them cannot be recomputed',
  });
});
