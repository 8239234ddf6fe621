import { LogStartWatch } from '../../../core/platform/kafka/log-start-watch';
import { silentLogger } from '../../../core/platform/log';

const TOPIC = 'letters';

describe('the watch over where logs begin', () => {
  const expired: unknown[] = [];
  let low: number;
  let next: number;
  let isBusy: boolean;
  let watch: LogStartWatch;

  beforeEach(() => {
    expired.length = 0;
    low = 15;
    next = 10;
    isBusy = false;
    watch = new LogStartWatch({
      kafka: { offsets: () => Promise.resolve([0, 1].map((partition) => ({ partition, low, high: 20 }))) },
      log: silentLogger(),
      assignment: () => new Map([[TOPIC, [1]]]),
      nextOffset: () => next,
      isBusy: () => isBusy,
      onExpired: (...gap) => {
        expired.push(gap);
        return Promise.resolve();
      },
    });
  });

  it('notes a loss that two looks have seen, of its own partitions alone', async () => {
    await watch.look();
    expect(expired).toEqual([]);
    await watch.look();
    expect(expired).toEqual([[TOPIC, 1, 15]]);
  });

  it('notes none where the log begins at or before what is stored', async () => {
    low = 10;
    for (let look = 0; look < 3; look += 1) await watch.look();
    expect(expired).toEqual([]);
  });

  it('waits for records that are on their way to the tables', async () => {
    await watch.look();
    next = 12;
    await watch.look();
    isBusy = true;
    await watch.look();
    isBusy = false;
    await watch.look();
    expect(expired).toEqual([]);
    await watch.look();
    expect(expired).toEqual([[TOPIC, 1, 15]]);
  });

  it('notes nothing any more once it is closed', async () => {
    await watch.look();
    watch.close();
    await watch.look();
    expect(expired).toEqual([]);
  });
});
