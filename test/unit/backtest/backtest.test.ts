import { Backtest } from '../../../core/backtest/backtest';
import { type BacktestOptions, type BacktestResult } from '../../../core/backtest/types';
import { FIRST_VERSION, versionOfRound } from '../../../core/contracts/ids';
import { gateSettingsSchema, partsFor, trainingSettingsSchema } from '../../../core/contracts/rounds';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../../../core/contracts/time';
import { zeroCounts } from '../../../core/stream/windows/counts';
import { figuresOf } from '../../../cli/backtest/results';

// Whole backtests: seconds each where other processes take the processors.
jest.setTimeout(60_000);

const HOUR = 3_600 * MICROS_PER_SECOND;
const DEVICES = 8;
/** A tolerance that corrections of devices cross now and then. */
const TIGHT = 0.3;
const START = Date.UTC(2026, 0, 1) * MICROS_PER_MILLI;

/** Hourly readings of a few devices, oldest first. */
async function* hourly(
  hours: number,
  valueOf: (hour: number, device: number) => number,
): AsyncGenerator<Buffer> {
  for (let hour = 0; hour < hours; hour += 1) {
    for (let device = 0; device < DEVICES; device += 1) {
      const timestamp = (START + hour * HOUR) / MICROS_PER_MILLI;
      const event = { device_id: `d${device}`, timestamp, temperature: valueOf(hour, device) };
      yield await Promise.resolve(Buffer.from(JSON.stringify(event)));
    }
  }
}

function optionsFor(tolerance: number): BacktestOptions {
  const { task } = DEFAULT_STREAM_SETTINGS;
  return {
    settings: {
      ...DEFAULT_STREAM_SETTINGS,
      task: { ...task, windowMicros: HOUR, covariates: [], target: { ...task.target, tolerance } },
    },
    plan: { rounds: 2, firstAfter: 60, every: 40, judged: 6, mostJudged: 12, season: 24 },
    rules: {
      strategy: 'closed-loop',
      strategySettings: {},
      parts: partsFor('closed-loop', {}),
      boundaryWidth: 'feedback',
      seed: 1,
      participants: 'all',
    },
    training: trainingSettingsSchema.parse({ windows: 48 }),
    gate: gateSettingsSchema.parse({}),
    threads: 1,
    signal: new AbortController().signal,
    log: { window: () => Promise.resolve(), deployment: () => Promise.resolve() },
  };
}

function play(valueOf: (hour: number, device: number) => number, tolerance: number): Promise<BacktestResult> {
  return Backtest.play(hourly(150, valueOf), optionsFor(tolerance));
}

/** A day's course with a drift that repeats exactly. */
const daily = (hour: number, device: number): number =>
  20 + device + 8 * Math.sin((2 * Math.PI * hour) / 24 + device);

/** The same with what no forecast can know. */
const noisy = (hour: number, device: number): number =>
  daily(hour, device) + Math.sin(hour * 12.9898 + device * 78.233);

describe('a backtest', () => {
  it('reads every event, and closes every window but those that the watermark holds open', async () => {
    const { counts, windows, devices } = await play(daily, 1);
    const { no_forecast } = counts;
    const events = 150 * DEVICES;
    expect(counts).toEqual({ ...zeroCounts(), read: events, windowed: events, no_forecast });
    expect(windows).toBe(149);
    expect(devices).toBe(DEVICES);
  });

  it('makes a version a round, and scores it on no window that had begun when it was made', async () => {
    const { rounds, tally } = await play(daily, 1);
    expect(rounds.map(({ version, judgedWindows }) => [version, judgedWindows])).toEqual([
      ['v1', 6],
      ['v2', 6],
    ]);
    const first = Math.min(...tally.of(versionOfRound(1)).map(({ windowStart }) => windowStart));
    // The first round takes place when window 59 closes: the watermark waits for an event of window 61.
    expect((first - START) / HOUR).toBe(62);
  });

  it('finds that yesterday is exact where every day is the same', async () => {
    const figures = figuresOf(await play(daily, 1), 1);
    const seasonal = figures.baselines.find(({ name }) => name === 'seasonal naive');
    expect(seasonal?.accuracy).toBe(1);
    expect(seasonal?.mae).toBeLessThan(1e-5);
    expect(seasonal?.ahead.mean).toBeLessThanOrEqual(0);
  });

  it('finds that persistence is exact where nothing changes', async () => {
    const figures = figuresOf(await play((_, device) => 20 + device, 1), 1);
    expect(figures.baselines.find(({ name }) => name === 'persistence')?.accuracy).toBe(1);
  });

  it('scores the line that rounds fit for the fleet beside persistence', async () => {
    // Every device's change follows its last one, which persistence cannot say and a line can.
    const figures = figuresOf(await play(daily, 1), 1);
    const accuracyOf = (name: string): number | undefined =>
      figures.baselines.find((baseline) => baseline.name === name)?.accuracy;
    expect(accuracyOf('linear')).toBeGreaterThan((accuracyOf('persistence') ?? NaN) + 0.1);
  });

  it('says how right versions were as served, with what devices had learnt, beside their own forecasts', async () => {
    const result = await play(noisy, TIGHT);
    const { versions } = figuresOf(result, TIGHT);
    const scores = new Map(versions.map(({ version, score }) => [version, score]));
    for (const [version, score] of scores) {
      const rows = result.tally.of(version);
      const share = rows.filter(({ servedCorrect }) => servedCorrect).length / rows.length;
      expect(score?.servedAccuracy).toBeCloseTo(share, 12);
    }
    // Nobody has trained the first version, and it is served as it is.
    const first = scores.get(FIRST_VERSION);
    expect(first?.servedAccuracy).toBe(first?.accuracy);
    const served = result.tally.served();
    expect(served.some(({ correct, servedCorrect }) => correct !== servedCorrect)).toBe(true);
  });

  it('serves versions as they are where the part is off', async () => {
    const options = optionsFor(TIGHT);
    const rules = { ...options.rules, parts: { ...options.rules.parts, adapters: false } };
    const { tally } = await Backtest.play(hourly(150, noisy), { ...options, rules });
    expect(tally.served().every(({ correct, servedCorrect }) => correct === servedCorrect)).toBe(true);
  });

  it('gives the same accuracy in other units', async () => {
    const accuracyIn = async (unit: number): Promise<readonly (number | undefined)[]> => {
      const scaled = (hour: number, device: number): number => unit * noisy(hour, device);
      const { versions, baselines } = figuresOf(await play(scaled, 1.5 * unit), 1.5 * unit);
      return [...versions.map(({ score }) => score?.accuracy), ...baselines.map(({ accuracy }) => accuracy)];
    };
    const plain = await accuracyIn(1);
    for (const unit of [0.001, 1_000]) {
      for (const [at, accuracy] of (await accuracyIn(unit)).entries())
        expect(accuracy).toBeCloseTo(plain[at] ?? NaN, 3);
    }
  });
});
