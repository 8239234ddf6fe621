import { ChampionChecks } from '../../../activities/check-champion';
import { type Stage } from '../../../core/contracts/deployments';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type CheckChampionInput } from '../../../core/contracts/live-checks';
import { type PrivacyBooking } from '../../../core/contracts/privacy';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { type DeployedVersion } from '../../../core/model/deployments';
import { latestCheck, saveCheck, windowsInService } from '../../../core/warehouse/queries/champion-checks';
import { compareVersions, compareWithPersistence } from '../../../core/warehouse/queries/comparison';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { timestamp } from '../../../core/warehouse/database/values';
import { evaluatedWindows } from '../../../core/warehouse/queries/windows';
import {
  agreeOnSettings,
  query,
  batch,
  evaluationBlock,
  record,
  T0,
  WINDOW,
  type EvaluationRow,
} from '../warehouse/helpers';

const v = (name: string) => versionIdSchema.parse(name);
const TOLERANCE = 1;
const DEVICES = 20;

let warehouse: Warehouse;
let connection: SerialConnection;
let sink: Sink;
let offset = 0;
let next = 0;
let bookings: readonly PrivacyBooking[] = [];
/** The last window whose readings a version was made of: the one before the first live one. */
const madeOf = T0 - WINDOW;
let staged: Readonly<Record<string, Stage>> = {};

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  await agreeOnSettings(connection);
  sink = await Sink.open(connection);
  offset = 0;
  next = 0;
  staged = { v1: 'shadow', v2: 'champion' };
  bookings = [];
});
afterEach(() => warehouse.close());

/** Checks over the real tables; every window that has rows counts as complete. */
function checks(): ChampionChecks {
  const before = T0 + 1e6 * WINDOW;
  const versions = (): DeployedVersion[] =>
    Object.entries(staged).map(
      ([version, stage]) =>
        ({
          version: v(version),
          stage: { stage },
          message: { lineage: { data_until: version === 'v0' ? null : madeOf } },
        }) as unknown as DeployedVersion,
    );
  return new ChampionChecks(
    {
      compare: (input) => compareVersions(connection, { ...input, tolerance: TOLERANCE }),
      compareWithPersistence: (version, range) =>
        compareWithPersistence(connection, { ...range, version, tolerance: TOLERANCE }),
      completeWindows: (input) => evaluatedWindows(connection, { ...input, before }),
      windowsInService: (version, limit) => windowsInService(connection, { version, limit, before }),
      latestCheck: (version) => latestCheck(connection, version),
      saveCheck: (check) => saveCheck(connection, check),
    },
    {
      sync: () => Promise.resolve(),
      inForce: versions,
      versions,
      privacyBookings: () => bookings,
      settings: () => ({
        ...DEFAULT_STREAM_SETTINGS,
        task: { ...DEFAULT_STREAM_SETTINGS.task, windowMicros: WINDOW },
      }),
      champion: () => versions().find(({ stage }) => stage.stage === 'champion'),
    },
  );
}

/** Windows in which so many of the 20 devices are forecast right; persistence is right for 10 of them. */
async function live(windows: number, right: Readonly<Record<string, number>>): Promise<void> {
  for (let window = 0; window < windows; window += 1) {
    const rows = Object.entries(right).flatMap(([version, count]) =>
      Array.from({ length: DEVICES }, (_, device): EvaluationRow => ({
        version,
        device: `d${device}`,
        // Which devices are right moves on from window to window.
        error: (device + next) % DEVICES < count ? 0.2 : 3,
        persistence: (device + 3 * next) % DEVICES < 10 ? 0.5 : 2,
      })),
    );
    await sink.store([batch('evaluations', 0, [record(offset, evaluationBlock({ window: next }, rows))])]);
    offset += 1;
    next += 1;
  }
}

const lastWindow = (): number => T0 + (next - 1) * WINDOW;

describe('a check of the champion', () => {
  it('keeps one that does better than its predecessor, and says what it saw', async () => {
    await live(8, { v1: 12, v2: 18 });
    expect(await checks().check({})).toMatchObject({
      outcome: 'judged',
      asksForRound: null,
      check: {
        champion: 'v2',
        predecessor: 'v1',
        windows: { count: 8, from: T0, until: lastWindow() },
        accuracy: 0.9,
        predecessorAccuracy: 0.6,
        persistenceAccuracy: 0.5,
        verdict: { action: 'keep' },
        drift: [],
      },
    });
  });

  it('rolls back one that falls behind its predecessor', async () => {
    await live(8, { v1: 18, v2: 12 });
    expect(await checks().check({})).toMatchObject({
      check: { verdict: { action: 'rollback', to: 'v1' } },
    });
  });

  it('rolls back one that falls behind persistence', async () => {
    await live(8, { v1: 4, v2: 3 });
    expect(await checks().check({ settings: { margin: 0.1 } })).toMatchObject({
      check: {
        verdict: {
          action: 'rollback',
          to: 'v1',
          reason: expect.stringContaining('than persistence') as string,
        },
      },
    });
  });

  it('looks at the latest windows only', async () => {
    await live(30, { v1: 18, v2: 5 });
    await live(24, { v1: 12, v2: 18 });
    expect(await checks().check({})).toMatchObject({
      check: { windows: { count: 24 }, verdict: { action: 'keep' } },
    });
  });

  it('leaves out the windows that elected the champion', async () => {
    await live(6, { v1: 0, v2: 20 });
    await connection.run(
      `INSERT INTO federated_rounds SELECT 2, 'v2', 'v1', 'promoted', '', 'closed-loop', NULL, 6, $from, $until, 1, 1, 1, 1, 1, 1,
         1, 1, 1, NULL, NULL, 1, 1, '{}', '{}', NULL, NULL, NULL, NULL`,
      { from: timestamp(T0), until: timestamp(lastWindow()) },
    );
    expect(await checks().check({})).toEqual({ outcome: 'nothing-to-judge', champion: 'v2' });
    await live(6, { v1: 18, v2: 12 });
    expect(await checks().check({})).toMatchObject({
      check: { windows: { count: 6 }, verdict: { action: 'rollback' } },
    });
  });

  it('has nothing to judge while there is no champion', async () => {
    staged = {};
    expect(await checks().check({})).toEqual({ outcome: 'nothing-to-judge', champion: null });
  });

  it('refuses settings that are none, naming the field', async () => {
    await expect(checks().check({ settings: { confidence: 2 } })).rejects.toMatchObject({
      code: 'InvalidInput',
      message: expect.stringContaining('confidence') as string,
    });
  });
});

describe('a refit between rounds', () => {
  const every = (everyWindows: number, askedAt: number | null = null): CheckChampionInput => ({
    refit: { everyWindows, askedAt },
  });

  it('is asked for once the newest version’s readings are so many windows old', async () => {
    await live(11, { v1: 12, v2: 18 });
    expect(await checks().check(every(12))).not.toHaveProperty('asksForRefit');
    await live(1, { v1: 12, v2: 18 });
    expect(await checks().check(every(12))).toMatchObject({ asksForRefit: 12 });
  });

  it('is not asked for again until as many windows have passed since', async () => {
    await live(20, { v1: 12, v2: 18 });
    const askedAt = lastWindow() - 11 * WINDOW;
    expect(await checks().check(every(12, askedAt))).not.toHaveProperty('asksForRefit');
    expect(await checks().check(every(11, askedAt))).toMatchObject({ asksForRefit: 20 });
  });

  it('is none in a fleet that has booked noise', async () => {
    await live(20, { v1: 12, v2: 18 });
    bookings = [{} as PrivacyBooking];
    expect(await checks().check(every(12))).not.toHaveProperty('asksForRefit');
  });

  it('is none of a version that nobody has trained, nor where nobody wants one', async () => {
    staged = { v0: 'champion' };
    await live(20, { v0: 12 });
    expect(await checks().check(every(12))).not.toHaveProperty('asksForRefit');
    staged = { v2: 'champion' };
    await live(20, { v2: 12 });
    expect(await checks().check({})).not.toHaveProperty('asksForRefit');
  });
});

describe('the memory of checks', () => {
  it('is in the tables: what was dealt with is no news, not even to a new process', async () => {
    await live(8, { v1: 12, v2: 18 });
    await checks().check({});
    expect(await checks().check({ dealtWith: lastWindow() })).toEqual({
      outcome: 'no-news',
      champion: 'v2',
    });
    await live(1, { v1: 12, v2: 18 });
    expect(await checks().check({ dealtWith: lastWindow() - WINDOW })).toMatchObject({ outcome: 'judged' });
    expect(
      await query(connection, 'SELECT count(*) AS n, max(windows) AS windows FROM champion_checks'),
    ).toEqual([{ n: 2, windows: 9 }]);
  });

  it('says the same again to one who has not dealt with it', async () => {
    await live(8, { v1: 18, v2: 12 });
    const first = await checks().check({});
    expect(await checks().check({})).toEqual(first);
    expect(await query(connection, 'SELECT count(*) AS n FROM champion_checks')).toEqual([{ n: 1 }]);
  });

  it('says a rollback until it is carried out', async () => {
    await live(8, { v1: 18, v2: 12 });
    await checks().check({});
    expect(await checks().check({ dealtWith: lastWindow() })).toMatchObject({
      check: { verdict: { action: 'rollback' } },
    });
  });
});

describe('drift', () => {
  /** Enough windows for the detectors to know what is usual. */
  const before = () => live(60, { v1: 16, v2: 18 });
  const after = () => live(20, { v1: 8, v2: 8 });

  it('of the champion’s errors beside persistence asks for a round, once', async () => {
    const watching = checks();
    await before();
    expect(await watching.check({})).toMatchObject({ asksForRound: null, check: { drift: [] } });
    const dealtWith = lastWindow();
    await after();
    const found = await watching.check({ dealtWith });
    expect(found).toMatchObject({
      asksForRound: expect.stringContaining('v2 errs more beside persistence') as string,
    });
    expect(await watching.check({ dealtWith: lastWindow() })).toEqual({
      outcome: 'no-news',
      champion: 'v2',
    });
    expect(
      await query(connection, 'SELECT drift FROM champion_checks ORDER BY window_until DESC LIMIT 1'),
    ).toEqual([{ drift: expect.arrayContaining(['page-hinkley worse']) as string[] }]);
  });

  it('is found alike by a process that starts in between', async () => {
    await before();
    await checks().check({});
    await after();
    const restarted = await checks().check({});
    await connection.run('DELETE FROM champion_checks');
    const inOneGo = await checks().check({});
    expect(restarted).toEqual(inOneGo);
    expect(restarted).toMatchObject({ asksForRound: expect.any(String) as string });
  });

  it('asks for nothing when the champion gets better', async () => {
    await live(60, { v1: 8, v2: 8 });
    await checks().check({});
    await live(20, { v1: 18, v2: 18 });
    expect(await checks().check({})).toMatchObject({ asksForRound: null });
  });
});
