import fc from 'fast-check';
import { type PairedCluster } from '../../../core/federation/promotion/cluster-interval';
import { versionIdSchema } from '../../../core/contracts/ids';
import {
  changeOf,
  scoreOf,
  subtractPairs,
  subtractScores,
  withoutDevices,
  type ScoreCluster,
} from '../../../cli/results/scores';
import { resultsOf, type Evidence } from '../../../cli/results/summary';
import { type Results } from '../../../cli/results/summary-schema';
import { renderResults } from '../../../cli/demo/table';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { type LinearSums, type RoundRow } from '../../../cli/results/queries';

const NO_SUMS: LinearSums = { byCluster: [], byWindow: [], byModel: [] };

const cluster = (given: Partial<ScoreCluster>): ScoreCluster => ({
  cluster: 'a',
  windowStart: 0,
  n: 10,
  correct: 8,
  servedCorrect: 9,
  error: 1,
  absoluteError: 5,
  persistenceAbsoluteError: 10,
  persistenceCorrect: 6,
  ...given,
});

describe('a score', () => {
  it('is counted from the rows behind it', () => {
    const score = scoreOf([
      cluster({}),
      cluster({ windowStart: 30, correct: 6 }),
      cluster({ cluster: 'b', correct: 10 }),
    ])!;
    expect(score).toMatchObject({
      evaluations: 30,
      windows: 2,
      accuracy: 0.8,
      servedAccuracy: 0.9,
      bias: 0.1,
      mae: 0.5,
      skill: 0.5,
      persistenceAccuracy: 0.6,
    });
    expect(score.accuracyCi95[0]).toBeLessThan(0.8);
    expect(score.accuracyCi95[1]).toBeGreaterThan(0.8);
  });

  it('is nothing without rows', () => {
    expect(scoreOf([])).toBeNull();
    expect(changeOf([])).toBeNull();
  });

  it('of the healthy devices is what is left when the faulty ones are taken out', () => {
    const row = fc.record({
      cluster: fc.constantFrom('a', 'b', 'c'),
      windowStart: fc.constantFrom(0, 30, 60),
      correct: fc.boolean(),
      faulty: fc.boolean(),
    });
    const sums = (
      rows: readonly { cluster: string; windowStart: number; correct: boolean }[],
    ): ScoreCluster[] => {
      const byKey = new Map<string, ScoreCluster>();
      for (const { cluster: name, windowStart, correct } of rows) {
        const key = `${name}/${windowStart}`;
        const before = byKey.get(key) ?? cluster({ cluster: name, windowStart, n: 0, correct: 0 });
        byKey.set(key, { ...before, n: before.n + 1, correct: before.correct + Number(correct) });
      }
      return [...byKey.values()];
    };
    fc.assert(
      fc.property(fc.array(row), (rows) => {
        const left = withoutDevices(sums(rows), sums(rows.filter(({ faulty }) => faulty)), subtractScores);
        const healthy = sums(rows.filter(({ faulty }) => !faulty));
        const key = ({ cluster, windowStart }: ScoreCluster): string => `${cluster}/${windowStart}`;
        expect(new Map(left.map((one) => [key(one), [one.n, one.correct]]))).toEqual(
          new Map(healthy.map((one) => [key(one), [one.n, one.correct]])),
        );
      }),
    );
  });

  it('pairs are taken out in the same way', () => {
    const pair = { cluster: 'a', windowStart: 0, n: 10, candidateCorrect: 8, championCorrect: 7 };
    const faulty = { ...pair, n: 4, candidateCorrect: 1, championCorrect: 2 };
    expect(withoutDevices([pair], [faulty], subtractPairs)).toEqual([
      { ...pair, n: 6, candidateCorrect: 7, championCorrect: 5 },
    ]);
  });
});

describe('the results of a run', () => {
  const v = (text: string): ReturnType<typeof versionIdSchema.parse> => versionIdSchema.parse(text);
  const round = (given: Partial<RoundRow>): RoundRow => ({
    round: 1,
    model_version: v('v1'),
    champion: v('v0'),
    decision: 'promoted',
    finding: 'better',
    reason: 'better',
    strategy: 'closed-loop',
    role: 'responsive',
    windows: 6,
    evaluations: 60,
    accuracy: 0.8,
    champion_accuracy: 0.5,
    paired_change: 0.3,
    paired_change_low: 0.2,
    paired_change_high: 0.4,
    self_reported_accuracy: 0.95,
    local_real_accuracy: 0.7,
    updates_trained: 20,
    updates_used: 19,
    ...given,
  });
  const both = (n: number, correct: number): Evidence['persistence'] => ({
    all: [cluster({ n, correct }), cluster({ cluster: 'b', n, correct })],
    faulty: [cluster({ n: 2, correct: 0 })],
  });
  const evidence: Evidence = {
    rounds: [round({}), round({ round: 2, model_version: v('v2'), champion: v('v1'), decision: 'rejected' })],
    scores: new Map([
      [v('v0'), both(10, 5)],
      [v('v1'), both(10, 8)],
      [v('v2'), both(10, 6)],
    ]),
    pairs: new Map([
      [
        v('v1'),
        {
          all: ['a', 'b'].map((cluster) => ({
            cluster,
            windowStart: 0,
            n: 10,
            candidateCorrect: 8,
            championCorrect: 5,
          })),
          faulty: [],
        },
      ],
    ]),
    persistence: both(10, 6),
    linear: { all: NO_SUMS, faulty: NO_SUMS },
    contribution: null,
    anomalies: new Map(),
  };

  it('have the shape that others read', () => {
    const results = resultsOf(evidence);
    expect(results.rounds[0]).toMatchObject({
      round: 1,
      version: 'v1',
      accuracy: 0.8,
      accuracyCi95: [expect.any(Number), expect.any(Number)] as unknown,
      selfReportedAccuracy: 0.95,
      evaluations: 20,
      decision: 'promoted',
    });
    expect(results.rounds[0]!.pairedChange).toBeCloseTo(0.3);
    expect(results.rounds[1]!.pairedChange).toBeNull();
    expect(results.persistence.accuracy).toBe(0.6);
    expect(results.firstVersion).toMatchObject({ version: 'v0', accuracy: 0.5 });
  });

  it('name the champion of the last decision', () => {
    expect(resultsOf(evidence).champion).toBe('v1');
  });

  it('tell the healthy devices apart', () => {
    const { healthy } = resultsOf(evidence).rounds[0]!;
    expect(healthy).toMatchObject({ evaluations: 18, accuracy: 16 / 18 });
  });

  describe('with a linear model beside the networks', () => {
    const pair = (given: Omit<PairedCluster, 'cluster'>): PairedCluster => ({ cluster: 'a', ...given });
    const sum = (pairs: readonly PairedCluster[], cluster: string, windowStart: number): PairedCluster => ({
      cluster,
      windowStart,
      n: pairs.reduce((total, { n }) => total + n, 0),
      candidateCorrect: pairs.reduce((total, { candidateCorrect }) => total + candidateCorrect, 0),
      championCorrect: pairs.reduce((total, { championCorrect }) => total + championCorrect, 0),
    });
    const sumsOf = (pairs: readonly PairedCluster[]): LinearSums => ({
      byCluster: [sum(pairs, 'a', 0)],
      byWindow: pairs.map((one) => ({ ...one, cluster: '' })),
      byModel: [
        sum(pairs.slice(0, pairs.length / 2), 'v1-linear', 0),
        sum(pairs.slice(pairs.length / 2), 'v2-linear', 0),
      ],
    });
    /** Two rounds of five windows each; the linear model is right `correct` times of 20. */
    const beside = (correct: number): Results['linear'] =>
      resultsOf({
        ...evidence,
        linear: {
          all: sumsOf(
            [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((windowStart) => {
              return pair({ windowStart, n: 20, candidateCorrect: correct, championCorrect: 10 });
            }),
          ),
          faulty: sumsOf(
            [0, 5].map((windowStart) => {
              return pair({ windowStart, n: 10, candidateCorrect: 0, championCorrect: 10 });
            }),
          ),
        },
      }).linear;

    it('compare both on the same device-windows, over all rounds', () => {
      expect(beside(15)).toMatchObject({ rounds: 2, evaluations: 200, accuracy: 0.75, networkAccuracy: 0.5 });
      expect(beside(15)!.difference).toBeCloseTo(0.25);
      expect(beside(15)!.healthy).toMatchObject({ evaluations: 180, accuracy: 150 / 180 });
    });

    it.each([
      { correct: 15, finding: 'the networks forecast worse than a line does' },
      { correct: 10, finding: 'the networks are not shown to beat it' },
      { correct: 5, finding: 'the networks forecast better than a line does' },
    ])('say of $correct right beside 10: $finding', ({ correct, finding }) => {
      const text = renderResults({ ...resultsOf(evidence), linear: beside(correct) }, DEFAULT_TASK.target);
      expect(text).toContain(finding);
      expect(text).toMatch(/^ *linear /m);
    });
  });

  it('say which anomalies were predicted, and nothing of precision where nobody knows', () => {
    const anomalies = new Map([
      [v('v0'), { actual: 0, found: 0, falseAlarms: 0, judged: 0, predicted: 12 }],
      [v('v1'), { actual: 18, found: 17, falseAlarms: 3, judged: 14_442, predicted: 20 }],
    ]);
    const text = renderResults(resultsOf({ ...evidence, anomalies }), DEFAULT_TASK.target);
    expect(text).toMatch(/^ *anomalies +labelled +predicted +right +false +precision +recall/m);
    expect(text).toMatch(/v0 +12 *$/m);
    expect(text).toMatch(/v1 +18 +20 +17 +3 +85\.0 % +94\.4 %/);
    expect(renderResults(resultsOf(evidence), DEFAULT_TASK.target)).not.toContain('precision');
  });

  it('fit a terminal of 120 columns', () => {
    const text = renderResults(resultsOf(evidence), DEFAULT_TASK.target);
    for (const told of ['v1', '80.0 %', '+30.00', 'promoted', 'persistence', 'Champion v1', 'As served'])
      expect(text).toContain(told);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130);
  });
});
