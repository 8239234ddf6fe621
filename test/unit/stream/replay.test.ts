import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { replay as replayFile } from '../../../cli/actions/replay';
import { jsonReport } from '../../../cli/actions/replay-output';
import { linesOf } from '../../../core/stream/parse/lines';
import { ROW_LIMITS } from '../../../core/contracts/limits';
import { replayLines, type ReplayOptions } from '../../../core/stream/replay/replay';
import { versionIdSchema } from '../../../core/contracts/ids';
import { noChange, SETTINGS } from './support';

const OPTIONS: ReplayOptions = {
  settings: SETTINGS,
  partitions: 1,
  versions: [],
  residualStddev: null,
  forecaster: noChange,
  flush: false,
};

async function* pieces(...some: (string | Buffer)[]): AsyncGenerator<Buffer> {
  for (const piece of some) {
    await Promise.resolve();
    yield Buffer.from(piece);
  }
}

async function replay(
  input: string | Buffer,
  options: Partial<ReplayOptions> = {},
): Promise<Record<string, unknown>[]> {
  let text = '';
  const report = jsonReport((more) => {
    text += more;
    return Promise.resolve();
  }, OPTIONS.settings.task);
  await report.finish(await replayLines(linesOf(pieces(input)), { ...OPTIONS, ...options }, report));
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const INPUT = `{"device_id":"a","timestamp":"2020-01-01T00:00:00Z","temperature":20}
{"device_id":"a","timestamp":"2020-01-01T00:00:10Z","temperature":21}
{"device_id":"b","timestamp":"2020-01-01T05:30:20.5+05:30","data":10}
{"device_id":"a","timestamp":"2020-01-01T00:00:10Z","temperature":21}
garbage

{"device_id":"a","timestamp":1577836829999.999,"temperature":22}
{"device_id":"a","timestamp":"2020-01-01T00:01:30","temperature":22}
{"device_id":"a","timestamp":"2020-01-01T00:00:29","temperature":22}
{"device_id":"a","timestamp":"2020-01-01T00:03:00","temperature":22,"record_timestamp":"2020-01-01T00:02:29"}
`;

describe('fedloop replay --json', () => {
  it('prints windows, rejects by line, and the summary last', async () => {
    const rows = await replay(INPUT);
    expect(rows).toEqual([
      { type: 'reject', reason: 'duplicate', line: 4 },
      { type: 'reject', reason: 'malformed', line: 5 },
      { type: 'reject', reason: 'malformed', line: 6 },
      {
        type: 'window',
        device_id: 'a',
        window_start: '2020-01-01T00:00:00Z',
        window_end: '2020-01-01T00:00:30Z',
        count: 3,
        avg: 21,
        min: 20,
        max: 22,
        stddev: 1,
        max_abs_z: 1,
        outliers: 0,
        is_anomaly: false,
        confidence: 1,
        humidity_avg: null,
        pressure_avg: null,
      },
      expect.objectContaining({ type: 'window', device_id: 'b', count: 1, stddev: 0, confidence: 0 }),
      { type: 'reject', reason: 'late', line: 9 },
      { type: 'reject', reason: 'future', line: 10 },
      {
        type: 'summary',
        read: 10,
        windowed: 5,
        late: 1,
        duplicate: 1,
        future: 1,
        malformed: 2,
        aside: 0,
        open_windows: 1,
      },
    ]);
  });

  it('closes open windows at the end with flush', async () => {
    const rows = await replay(INPUT, { flush: true });
    expect(
      rows
        .filter(({ type }) => type === 'window')
        .map(({ device_id, window_start }) => [device_id, window_start]),
    ).toEqual([
      ['a', '2020-01-01T00:00:00Z'],
      ['b', '2020-01-01T00:00:00Z'],
      ['a', '2020-01-01T00:01:30Z'],
    ]);
    expect(rows.at(-1)).toMatchObject({ type: 'summary', open_windows: 0 });
  });

  it('prints evaluations of a model', async () => {
    const lines = Array.from({ length: 30 }, (_, i) =>
      JSON.stringify({ device_id: 'a', timestamp: i * 30_000, temperature: i / 10 }),
    );
    const rows = await replay(lines.join('\n'), {
      versions: [versionIdSchema.parse('v3')],
      residualStddev: 0.5,
      flush: true,
    });
    const evaluations = rows.filter(({ type }) => type === 'evaluation');
    expect(evaluations).toHaveLength(10);
    expect(Object.keys(evaluations[0]!)).toEqual([
      'type',
      'model_version',
      'device_id',
      'window_start',
      'window_end',
      'prediction_result',
      'actual_result',
      'error',
      'loss',
      'is_correct',
      'confidence',
      'persistence_error',
      'predicted_anomaly',
      'band',
      'anomaly_score',
      'anomaly_kind',
      'actual_anomaly',
      'regime',
    ]);
    expect(evaluations[0]).toMatchObject({
      model_version: 'v3',
      window_start: '1970-01-01T00:10:00Z',
      is_correct: true,
      regime: 'steady',
    });
  });

  it('gives each partition a watermark of its own', async () => {
    const lines = ['slow', 'fast', 'other', 'more', 'x', 'y'].map((device_id) =>
      JSON.stringify({ device_id, timestamp: 0, temperature: 1 }),
    );
    const late = JSON.stringify({ device_id: 'slow', timestamp: 1, temperature: 1 });
    const ahead = ['fast', 'other', 'more']
      .map((device_id) => JSON.stringify({ device_id, timestamp: 500_000, temperature: 1 }))
      .join('\n');
    const verdict = async (partitions: number): Promise<unknown> =>
      (await replay([...lines, ahead, late].join('\n'), { partitions })).at(-1)!['late'];
    expect(await verdict(1)).toBe(1);
    expect(await verdict(64)).toBe(0);
  });

  it('counts an input of nothing', async () => {
    expect(await replay('')).toEqual([
      {
        type: 'summary',
        read: 0,
        windowed: 0,
        late: 0,
        duplicate: 0,
        future: 0,
        malformed: 0,
        aside: 0,
        open_windows: 0,
      },
    ]);
  });
});

describe('a model to replay with', () => {
  it('is named when it is none', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'fedloop-replay-'));
    const model = join(folder, 'broken.onnx');
    await writeFile(model, 'no model');
    const { task, watermarkMicros: watermark } = SETTINGS;
    const { windowMicros: window, target } = task;
    await expect(
      replayFile('-', { window, watermark, tolerance: target.tolerance, partitions: 1, model }),
    ).rejects.toMatchObject({
      code: 'InvalidModel',
      message: expect.stringContaining(`${model} is not a usable model`) as string,
    });
    await rm(folder, { recursive: true });
  });
});

describe('bad input in a file', () => {
  const good = (more: object): string =>
    JSON.stringify({ device_id: 'a', timestamp: '2020-01-01T00:00:00Z', temperature: 1, ...more });
  const without = (field: string): string => good({ [field]: undefined });
  const bad: Readonly<Record<string, string | Buffer>> = {
    'an empty message': '',
    'a megabyte': good({ note: 'x'.repeat(1_048_576) }),
    'invalid UTF-8': Buffer.from(good({ device_id: '\u00ff' }), 'latin1'),
    'deep nesting': `{"device_id":"a","timestamp":0,"temperature":1,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    NaN: '{"device_id":"a","timestamp":0,"temperature":NaN}',
    Infinity: '{"device_id":"a","timestamp":0,"temperature":Infinity}',
    'minus infinity': '{"device_id":"a","timestamp":0,"temperature":-Infinity}',
    'an infinity by size': '{"device_id":"a","timestamp":0,"temperature":1e400}',
    'a number as a string': good({ temperature: '21.5' }),
    'no id': without('device_id'),
    'no time': without('timestamp'),
    'no temperature': without('temperature'),
    'a key twice': '{"device_id":"a","timestamp":0,"temperature":1,"temperature":2}',
    'an id twice': '{"device_id":"a","device_id":"b","timestamp":0,"temperature":1}',
    constructor: good({ constructor: { prototype: { polluted: 1 } } }),
    prototype: good({ prototype: {} }),
    'an id of 10,000 characters': good({ device_id: 'x'.repeat(10_000) }),
  };
  const kinds = ['__proto__', ...Object.keys(bad)];
  const bytesOfKind = (kind: string): Buffer => {
    const input =
      kind === '__proto__'
        ? '{"__proto__":{"x":1},"device_id":"a","timestamp":0,"temperature":1}'
        : bad[kind]!;
    return Buffer.isBuffer(input) ? input : Buffer.from(input);
  };
  /** Each bad line stands between two good ones of devices and times of their own. */
  const lines = kinds.flatMap((kind, i) => [
    Buffer.from(good({ device_id: `good-${i}`, timestamp: 1_577_836_800_000 + i })),
    bytesOfKind(kind),
  ]);
  const file = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));

  it.each([1, 3])(
    'is one reject a line, with its reason, and never a row, over %i partitions',
    async (partitions) => {
      const rows = await replay(file, { flush: true, partitions });
      expect(rows.filter(({ type }) => type === 'reject')).toEqual(
        kinds.map((_, i) => ({ type: 'reject', reason: 'malformed', line: 2 * i + 2 })),
      );
      expect(
        rows
          .filter(({ type }) => type === 'window')
          .map(({ device_id, count, avg }) => [device_id, count, avg])
          .sort(),
      ).toEqual(kinds.map((_, i) => [`good-${i}`, 1, 1]).sort());
      const summary = rows.at(-1)!;
      expect(summary).toEqual({
        type: 'summary',
        read: 2 * kinds.length,
        windowed: kinds.length,
        late: 0,
        duplicate: 0,
        future: 0,
        malformed: kinds.length,
        aside: 0,
        open_windows: 0,
      });
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    },
  );
});

describe('lines', () => {
  const all = async (...some: (string | Buffer)[]): Promise<string[]> => {
    const lines: string[] = [];
    for await (const batch of linesOf(pieces(...some)))
      lines.push(...batch.map((line) => Buffer.from(line).toString()));
    return lines;
  };

  it('are the same however the bytes come', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[ab\n]{0,40}$/),
        fc.array(fc.nat(40), { maxLength: 6 }),
        async (text, cuts) => {
          const places = [...new Set([0, ...cuts.filter((cut) => cut < text.length), text.length])].sort(
            (a, b) => a - b,
          );
          const parts = places.slice(1).map((end, i) => text.slice(places[i], end));
          const expected = text === '' ? [] : (text.endsWith('\n') ? text.slice(0, -1) : text).split('\n');
          expect(await all(...parts)).toEqual(expected);
        },
      ),
    );
  });

  it('keep only so much of one without an end that it is seen to be too long', async () => {
    const most = ROW_LIMITS.eventBytes;
    const lines = await all('x'.repeat(most), 'y'.repeat(most), 'z\nnext');
    expect(lines.map(({ length }) => length)).toEqual([most + 1, 4]);
  });
});
