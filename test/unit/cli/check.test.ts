import fc from 'fast-check';
import { checkSample, type CheckedSample } from '../../../cli/check/check-sample';
import { deploymentFileSchema, planDeployment } from '../../../core/contracts/deployment-file';
import { remedyOf } from '../../../core/contracts/remedies';
import { type StreamSettings } from '../../../core/contracts/settings';
import { assertSource } from '../../../core/ingest/inspect/assert-source';

const START = Date.UTC(2026, 0, 1);

function settingsOf(file: unknown): StreamSettings {
  return planDeployment(deploymentFileSchema.parse(file)).settings;
}

function check(texts: readonly string[], settings: StreamSettings): Promise<CheckedSample> {
  const messages = texts.map((text) => ({
    bytes: Buffer.from(text),
    partition: undefined,
    recordMillis: undefined,
  }));
  return checkSample({ messages, keepsOrder: true }, settings);
}

const CANONICAL = settingsOf({ target: { sensor: 'temperature' } });
const RENAMED = settingsOf({
  source: { fields: { device_id: '/d', timestamp: { path: '/t', unit: 'ms' }, temp: '/v' } },
  target: { sensor: 'temp', missing: [-999] },
});

function canonical(device: number, seconds: number, temperature: unknown = 20): string {
  return JSON.stringify({ device_id: `d${device}`, timestamp: START + seconds * 1_000, temperature });
}

describe('what would become of messages', () => {
  it.each([
    ['events', CANONICAL, (d: number, s: number, v: unknown) => canonical(d, s, v)],
    [
      'messages of another shape',
      RENAMED,
      (d: number, s: number, v: unknown) => JSON.stringify({ d: `d${d}`, t: START + s * 1_000, v }),
    ],
  ])('adds up for %s: each is accepted, or rejected for one reason', async (_, settings, make) => {
    const value = fc.constantFrom<unknown>(20, 21.5, -999, 'n/a', null, true);
    const seconds = fc.constantFrom(0, 10, 20, 200, 1_000, -4_000_000_000, 5_000_000_000);
    const message = fc.oneof(
      {
        weight: 5,
        arbitrary: fc.tuple(fc.integer({ min: 0, max: 2 }), seconds, value).map(([d, s, v]) => make(d, s, v)),
      },
      { weight: 1, arbitrary: fc.constantFrom('', 'nonsense', '[]', '{}', '\u{1F600}') },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 40 }), async (texts) => {
        const { messages, accepted, rejected, deviceWindows, devices } = await check(texts, settings);
        const rejects = [...rejected.values()].reduce((sum, { count }) => sum + count, 0);
        expect(accepted + rejects).toBe(messages);
        expect(deviceWindows).toBeGreaterThanOrEqual(devices);
      }),
      { numRuns: 40 },
    );
  });

  it('names the first of each reason, and has a remedy for it', async () => {
    const texts = [
      canonical(0, 0),
      canonical(0, 300),
      canonical(0, 10),
      canonical(0, 300),
      canonical(1, 300, 'hot'),
      'x',
    ];
    const { rejected } = await check(texts, CANONICAL);
    expect([...rejected].map(([reason, { count, message }]) => [reason, count, message])).toEqual([
      ['late', 1, 3],
      ['duplicate', 1, 4],
      ['bad-temperature', 1, 5],
      ['not-json', 1, 6],
    ]);
    for (const reason of rejected.keys()) expect(remedyOf(reason)).toMatch(/\.$/);
  });

  it('says when the first forecast is possible, also where the sample is too short to see it', async () => {
    const sent = (windows: number): readonly string[] =>
      Array.from({ length: windows * 3 }, (_, index) => canonical(0, index * 10));
    const long = await check(sent(30), CANONICAL);
    expect({ first: long.firstForecast, isExpected: long.isExpected }).toEqual({
      first: START * 1_000 + 20 * 30e6,
      isExpected: false,
    });
    const short = await check(sent(3), CANONICAL);
    expect({ first: short.firstForecast, isExpected: short.isExpected }).toEqual({
      first: START * 1_000 + 20 * 30e6,
      isExpected: true,
    });
    expect((await check(['x'], CANONICAL)).firstForecast).toBeNull();
  });
});

describe('a deployment file that does not fit the messages', () => {
  const messages = [
    { id: 'a', ts: 1, v: { rms: 2, unit: 'mm/s' } },
    { id: 'a', ts: 2 },
  ];
  const file = (fields: object, more: object = {}): StreamSettings =>
    settingsOf({ source: { fields, ...more }, target: { sensor: 'rms' } });
  it.each([
    [
      file({ device_id: '/id', timestamp: '/ts', rms: '/foo' }),
      'none of the first 2 messages has /foo: they have /id, /ts, /v/rms, /v/unit',
    ],
    [file({ device_id: '/id', timestamp: '/time', rms: '/v/rms' }), 'has /time'],
    [file({ device_id: '/v', timestamp: '/ts', rms: '/v/rms' }), '/v holds other fields, such as /v/rms'],
    [
      file({ device_id: '/id', timestamp: '/ts', rms: '/v/unit' }),
      '/v/unit is no sensor: none of its values are numbers',
    ],
    [file({ timestamp: '/ts' }, { each: '/list' }), 'no message has an array of readings at /list'],
    [file({ timestamp: '/ts' }, { wide: 't_*' }), 'no field with numbers is named like t_*'],
  ])('is refused in one sentence (%#)', (settings, sentence) => {
    expect(() => assertSource(messages, settings)).toThrow(sentence);
  });

  it('says how many messages lack a part', () => {
    expect(assertSource(messages, file({ device_id: '/id', timestamp: '/ts', rms: '/v/rms' }))).toEqual([
      '1 of the first 2 messages lack /v/rms.',
    ]);
  });
});
