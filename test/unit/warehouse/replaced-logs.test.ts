import { join } from 'node:path';
import { TOPICS } from '../../../core/contracts/topics';
import { silentLogger } from '../../../core/platform/log';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { LOG_ID_MS } from '../../../core/warehouse/limits';
import { Intake } from '../../../core/warehouse/sink/intake';
import { Sink } from '../../../core/warehouse/sink/sink';
import { FakeKafka } from './fake-kafka';
import { analysisBlock, query, temporaryFolder } from './helpers';

const folder = temporaryFolder();
const TOPIC = TOPICS.analysis.name;
const FIRST = `c/${'0'.repeat(32)}`;
const SECOND = `c/${'f'.repeat(32)}`;
let files = 0;
let warehouse: Warehouse;
let connection: SerialConnection;
let kafka: FakeKafka;

beforeEach(async () => {
  files += 1;
  warehouse = await openWarehouse(join(folder.path, `${files}.duckdb`));
  connection = await warehouse.connect();
  kafka = new FakeKafka(1);
  kafka.logIds.set(TOPIC, FIRST);
});
afterEach(async () => {
  jest.useRealTimers();
  await warehouse.close();
});
afterAll(() => {
  folder.remove();
});

const append = (...windows: readonly number[]): void => {
  for (const window of windows) kafka.append(TOPIC, 0, analysisBlock({ window }, ['a']));
};

const startIntake = async (): Promise<Intake> =>
  Intake.start({
    kafka: kafka.asKafka(),
    sink: await Sink.open(connection),
    groupId: 'group',
    log: silentLogger(),
    file: warehouse.path,
    onStored: () => undefined,
  });

const rows = async (): Promise<unknown> => {
  const [row] = await query(connection, 'SELECT count(*)::INTEGER AS n FROM stream_analysis_results');
  return row;
};

describe('a topic that was deleted and made anew, and has as many records as before', () => {
  it('is stored from its beginning by a worker that was away', async () => {
    append(0, 1);
    const before = await startIntake();
    await kafka.deliver();
    await before.stop();
    kafka.makeAnew(TOPIC, SECOND);
    append(2, 3);
    const after = await startIntake();
    await kafka.deliver();
    await after.stop();
    expect(await rows()).toEqual({ n: 4 });
  });

  it('is stored from its beginning while a worker reads it', async () => {
    append(0, 1);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'performance'] });
    const intake = await startIntake();
    await kafka.deliver();
    kafka.makeAnew(TOPIC, SECOND);
    append(2, 3);
    await jest.advanceTimersByTimeAsync(LOG_ID_MS);
    jest.useRealTimers();
    while ((await logIdInFile()) !== SECOND) await new Promise(setImmediate);
    await new Promise(setImmediate);
    await kafka.deliver();
    await intake.stop();
    expect(await rows()).toEqual({ n: 4 });
  });

  it('is the same log where the broker does not say which it is', async () => {
    append(0, 1);
    const before = await startIntake();
    await kafka.deliver();
    await before.stop();
    kafka.logIds.delete(TOPIC);
    const sink = await Sink.open(connection);
    expect(await sink.enterLog(TOPIC, '')).toBe(false);
    expect([sink.logId(TOPIC), sink.nextOffset(TOPIC, 0)]).toEqual([FIRST, 2]);
  });

  async function logIdInFile(): Promise<unknown> {
    const [row] = await query(connection, `SELECT log_id FROM sink_logs WHERE topic = '${TOPIC}'`);
    return row?.['log_id'];
  }
});
