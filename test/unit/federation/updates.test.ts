import { versionIdSchema, siteNameSchema } from '../../../core/contracts/ids';
import { countReasons, type ScoreMessage } from '../../../core/contracts/updates';
import { realAccuracies } from '../../../core/federation/panels/local-scoring';
import {
  checkUpdates,
  requireUpdates,
  type ReceivedChunk,
} from '../../../core/federation/aggregation/update-checks';

const site = siteNameSchema.parse('main');
const v0 = versionIdSchema.parse('v0');
const expected = {
  round: 1,
  attempt: 'a',
  baseVersion: v0,
  parameters: 2,
  windows: 336,
  isSelected: (_: string, device: string) => device !== 'stranger',
};

function chunk(
  ids: readonly string[],
  deltas: readonly number[],
  about: Partial<ReceivedChunk['header']> = {},
): ReceivedChunk {
  return {
    header: {
      type: 'update',
      round: 1,
      attempt: 'a',
      site,
      chunk: 0,
      base_version: v0,
      parameters: 2,
      devices: ids.map((device_id) => ({
        device_id,
        rows: 9,
        self_reported_accuracy: 0.8,
        self_reported_loss: 1,
        base_loss: 2,
      })),
      left_out: [],
      ...about,
    },
    deltas: Float32Array.from(deltas),
  };
}

describe('updates that must not count', () => {
  it.each([
    { rows: 337 },
    { rows: Number.MAX_SAFE_INTEGER },
    { self_reported_accuracy: 1.01 },
    { self_reported_accuracy: -0.1 },
    { base_loss: -1 },
    { self_reported_loss: -1 },
  ])('are those with a claim that nothing can have measured: %j', (claim) => {
    const { header, deltas } = chunk(['liar', 'honest'], [1, 2, 3, 4]);
    const [liar, honest] = header.devices;
    const { good, leftOut } = checkUpdates(
      [{ header: { ...header, devices: [{ ...liar!, ...claim }, honest!] }, deltas }],
      expected,
    );
    expect(good.map(({ deviceId }) => deviceId)).toEqual(['honest']);
    expect(leftOut).toEqual([{ deviceId: 'liar', site, reason: 'impossible-claim' }]);
  });

  it('are left out with their reason; the others keep their order', () => {
    const { good, leftOut } = checkUpdates(
      [
        chunk(['a', 'nan', 'stranger'], [1, 2, NaN, 0, 3, 3], {
          left_out: [{ device_id: 'stuck', reason: 'constant-data' }],
        }),
        chunk(['a', 'b'], [9, 9, 5, 6], { chunk: 1 }),
        chunk(['old'], [1, 1], { round: 2 }),
        chunk(['try'], [1, 1], { attempt: 'b' }),
        chunk(['base'], [1, 1], { base_version: versionIdSchema.parse('v7') }),
        chunk(['short'], [1]),
        chunk(['wide'], [1, 2, 3], { parameters: 3 }),
      ],
      expected,
    );
    expect(
      good.map(({ deviceId, delta, chunk: number, place }) => [deviceId, [...delta], number, place]),
    ).toEqual([
      ['a', [1, 2], 0, 0],
      ['b', [5, 6], 1, 1],
    ]);
    expect(leftOut.map(({ deviceId, reason }) => `${deviceId}: ${reason}`)).toEqual([
      'nan: not-finite',
      'stranger: not-selected',
      'stuck: constant-data',
      'a: sent-twice',
      'old: wrong-round',
      'try: wrong-round',
      'base: wrong-round',
      'short: wrong-shape',
      'wide: wrong-shape',
    ]);
    expect(countReasons(leftOut)).toMatchObject({ 'wrong-round': 3, 'wrong-shape': 2 });
  });

  it('do not use up the one chance of a device: the first good update stands', () => {
    const { good } = checkUpdates([chunk(['a'], [NaN, 1]), chunk(['a'], [1, 1])], expected);
    expect(good).toHaveLength(1);
  });

  it('are not counted twice where a site says of its own devices a second time why they cannot train', () => {
    const own = { left_out: [{ device_id: 'stuck', reason: 'constant-data' as const }] };
    const { leftOut } = checkUpdates(
      [chunk([], [], own), chunk([], [], own), chunk(['old'], [1, 1], { ...own, attempt: 'b' })],
      expected,
    );
    expect(leftOut.map(({ deviceId, reason }) => `${deviceId}: ${reason}`)).toEqual([
      'stuck: constant-data',
      'old: wrong-round',
    ]);
  });

  it('are those that claim what is no number', () => {
    const { header, deltas } = chunk(['a'], [1, 2]);
    const [device] = header.devices;
    const boast = { ...header, devices: [{ ...device!, self_reported_accuracy: Number.NaN }] };
    expect(checkUpdates([{ header: boast, deltas }], expected).leftOut).toMatchObject([
      { reason: 'not-finite' },
    ]);
  });

  it('fail the round when too few are left, saying why', () => {
    const checked = checkUpdates([chunk(['a', 'stranger'], [1, 2, 3, 4])], expected);
    expect(() => {
      requireUpdates(checked, 2);
    }).toThrow(/1 good updates but needs 2; left out: 1 not-selected/);
    expect(() => {
      requireUpdates(checked, 1);
    }).not.toThrow();
  });
});

describe('real accuracy of local models', () => {
  const score = (from: string, about: Partial<ScoreMessage> = {}): ScoreMessage => ({
    type: 'score',
    round: 1,
    attempt: 'a',
    site: siteNameSchema.parse(from),
    scored_site: site,
    scored_chunk: 0,
    rows_recent: 10,
    rows_long: 40,
    device_id: ['a', 'b'],
    correct_recent: [5, 10],
    correct_long: [20, 40],
    ...about,
  });
  const { good } = checkUpdates([chunk(['a', 'b'], [1, 2, 3, 4])], expected);

  it('adds up what the sites counted', () => {
    const accuracies = realAccuracies(
      [score('main'), score('other', { rows_recent: 30, correct_recent: [30, 0] })],
      good,
    );
    expect(accuracies).toEqual([
      { recent: 35 / 40, long: 0.5 },
      { recent: 10 / 40, long: 1 },
    ]);
  });

  it('counts a chunk once that a site scored twice, and knows nothing of one that nobody scored', () => {
    expect(realAccuracies([score('main'), score('main')], good)[0]).toEqual({ recent: 0.5, long: 0.5 });
    expect(realAccuracies([score('main', { scored_chunk: 3 })], good)[0]).toEqual({
      recent: null,
      long: null,
    });
    expect(realAccuracies([score('main', { rows_recent: 0 })], good)[0]).toEqual({ recent: null, long: 0.5 });
  });
});
