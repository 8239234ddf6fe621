import { rememberBlocks } from '../../../activities/shared/site-blocks';
import { emptyAnalysis } from '../../../core/contracts/blocks';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { type IncomingRecord } from '../../../core/platform/kafka';
import { silentLogger } from '../../../core/platform/log';
import { TRUSTED } from '../../../core/warehouse/sink/origins';

const W = DEFAULT_TASK.windowMicros;
const START = 1_704_067_200_000_000;

const recordOf = (value: object, partition = 0): IncomingRecord => ({
  partition,
  offset: 0,
  timestampMillis: START / 1_000,
  key: null,
  value: Buffer.from(JSON.stringify(value)),
  headers: {},
});
const fence = (epoch: number): IncomingRecord => recordOf({ type: 'fence', partition: 0, epoch });
/** A window of a device whose mean is the epoch that wrote it. */
const block = (epoch: number, window: number, partition = 0): IncomingRecord => {
  const columns = Object.keys(emptyAnalysis(DEFAULT_TASK)).map(
    (name) => [name, [valueOf(name, epoch)]] as const,
  );
  return recordOf(
    {
      type: 'analysis',
      partition: 0,
      epoch,
      window_start: START + window * W,
      window_end: START + (window + 1) * W,
      ordinal: 0,
      last: true,
      columns: Object.fromEntries(columns),
    },
    partition,
  );
};

function valueOf(name: string, epoch: number): unknown {
  if (name === 'device_id') return 'd1';
  if (name.startsWith('is_')) return false;
  return name === 'avg' ? epoch : 1;
}

/** Means of the first three windows in a site that has read these records. */
async function meansAfter(...records: readonly IncomingRecord[]): Promise<readonly number[]> {
  const ring = new WindowRing(DEFAULT_TASK);
  await rememberBlocks(ring, () => true, TRUSTED, silentLogger())(records);
  return [...ring.seriesUntil('d1', START + 2 * W, 3).target];
}

describe('a site’s memory of closed windows', () => {
  it('takes the blocks of a partition’s owner, and of the one that follows it', async () => {
    expect(await meansAfter(fence(4), block(4, 0), block(4, 1), fence(7), block(7, 2))).toEqual([4, 4, 7]);
  });

  it('passes over what an owner writes whose epoch is over, however late its windows are', async () => {
    expect(await meansAfter(block(4, 0), fence(7), block(4, 100_000), block(7, 1))).toEqual([4, 7, NaN]);
  });

  it('passes over blocks of another partition than their record stands in', async () => {
    expect(await meansAfter(block(4, 0), block(4, 1, 3))).toEqual([4, NaN, NaN]);
  });
});
