import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { packageFile } from '../../../cli/shared/package-root';
import {
  aggregateRound,
  type AggregateRequest,
  type RoundAggregation,
} from '../../../core/federation/aggregation/aggregate';
import { federatedRoundInputSchema, partsFor } from '../../../core/contracts/rounds';
import { STRATEGIES, STRATEGY_NAMES, type StrategyName } from '../../../core/contracts/strategies';
import {
  decodeState,
  encodeState,
  stateFor,
  withoutMomentum,
} from '../../../core/federation/strategies/server-state';
import { listStrategies, strategyByName } from '../../../core/federation/strategies';
import { krumScores } from '../../../core/federation/strategies/multi-krum';
import { type LocalUpdate, type Strategy } from '../../../core/federation/strategies/strategy';
import { seededRandom } from '../../../core/platform/random';

const update = (delta: readonly number[], about: Partial<LocalUpdate> = {}): LocalUpdate => ({
  deviceId: `device-${delta.join()}`,
  delta: Float32Array.from(delta),
  rows: 100,
  selfReportedAccuracy: 0.8,
  baseLoss: 1,
  ...about,
});

function aggregate(
  name: StrategyName,
  updates: readonly LocalUpdate[],
  about: Partial<AggregateRequest> = {},
): RoundAggregation {
  return aggregateRound({
    strategy: strategyByName(name),
    strategySettings: {},
    updates,
    base: new Float32Array(updates[0]!.delta.length),
    learningRate: 0.1,
    state: null,
    realAccuracy: null,
    parts: partsFor('fedavg', {}),
    noise: null,
    ...about,
  });
}

const stepOf = (aggregation: RoundAggregation): number[] => [...aggregation.proposals[0]!.delta];

describe('the registry', () => {
  it('has every strategy that a round can name, with what the contract says of it', () => {
    expect(listStrategies().map(({ name }) => name)).toEqual([...STRATEGY_NAMES]);
    for (const strategy of listStrategies()) {
      expect(strategy).toMatchObject(STRATEGIES[strategy.name]);
      expect(strategy.summary).not.toContain('\n');
      expect(strategy.formula.length).toBeGreaterThan(5);
    }
  });

  it('fills in defaults and refuses settings that a strategy does not have', () => {
    expect(strategyByName('fedprox').settings.parse({})).toEqual({ mu: 0.1 });
    expect(() => strategyByName('fedadam').proximal({ etta: 1 })).toThrow(
      'strategySettings of fedadam is not valid: unknown field "etta" (did you mean "eta"?)',
    );
    expect(() => strategyByName('fedsgd')).toThrow(/unknown strategy/);
  });

  it('stands in docs/strategies.md', () => {
    const page = readFileSync(packageFile('docs', 'strategies.md'), 'utf8');
    expect(page.match(/^### .*\n(\n- .*)+/gm)).toEqual(listStrategies().map(sectionOf));
  });
});

/** What docs/strategies.md says of a strategy. */
function sectionOf({ name, summary, formula, paper, settings, takesNoise }: Strategy): string {
  const { properties = {} } = z.toJSONSchema(settings, { io: 'input' });
  const lines = Object.entries(properties).map(([setting, about]) =>
    typeof about === 'object' ? `\`${setting}\` = ${String(about.default)}: ${about.description}` : '',
  );
  return [
    `### \`${name}\`\n`,
    `- ${summary}`,
    `- \`${formula}\``,
    ...(paper === null ? [] : [`- ${paper}`]),
    ...lines.map((line) => `- ${line}`),
    `- noise: ${takesNoise ? 'yes' : 'no'}`,
  ].join('\n');
}

describe('fedavg', () => {
  it('weighs by training rows', () => {
    const result = aggregate('fedavg', [update([1], { rows: 100 }), update([5], { rows: 300 })]);
    expect(stepOf(result)).toEqual([4]);
    expect([...result.proposals[0]!.weights]).toEqual([0.25, 0.75]);
  });
});

describe('fedprox', () => {
  it('pulls local training and averages as fedavg does', () => {
    const fedprox = strategyByName('fedprox');
    expect(fedprox.proximal({ mu: 0.5 })).toBe(0.5);
    expect(strategyByName('fedavg').proximal({})).toBe(0);
    expect(stepOf(aggregate('fedprox', [update([1]), update([3])]))).toEqual([2]);
  });
});

describe('open-loop', () => {
  it('believes what local models say of themselves', () => {
    const result = aggregate('open-loop', [
      update([1], { selfReportedAccuracy: 0.9 }),
      update([2], { selfReportedAccuracy: 0.3 }),
    ]);
    expect(stepOf(result)[0]).toBeCloseTo(1.25, 6);
  });

  it('keeps its momentum across rounds when it has one', () => {
    const about = { strategySettings: { momentum: 0.5 } };
    const first = aggregate('open-loop', [update([1])], about);
    const second = aggregate('open-loop', [update([1])], {
      ...about,
      state: decodeState(encodeState(first.state)),
    });
    expect(stepOf(second)).toEqual([1.5]);
    expect(
      stepOf(aggregate('open-loop', [update([1])], { ...about, state: withoutMomentum(first.state) })),
    ).toEqual([1]);
  });
});

describe('server optimisers', () => {
  it('fedadagrad: w = 0.1, clients at 0.2 and 1.0, η = 0.1, τ = 0.5, v from 0 → 0.15', () => {
    const result = aggregate('fedadagrad', [update([0.2 - 0.1]), update([1.0 - 0.1])], {
      strategySettings: { eta: 0.1, tau: 0.5 },
    });
    expect(0.1 + stepOf(result)[0]!).toBeCloseTo(0.15, 7);
  });

  it('fedadam: two steps by hand', () => {
    const strategySettings = { eta: 0.1, tau: 0.5, beta1: 0.9, beta2: 0.99, v0: 0 };
    const first = aggregate('fedadam', [update([2])], { strategySettings });
    // m = 0.2, v = 0.04
    expect(stepOf(first)[0]).toBeCloseTo((0.1 * 0.2) / (0.2 + 0.5), 6);
    const second = aggregate('fedadam', [update([1])], {
      strategySettings,
      state: decodeState(encodeState(first.state)),
    });
    // m = 0.18 + 0.1, v = 0.0396 + 0.01
    expect(stepOf(second)[0]).toBeCloseTo((0.1 * 0.28) / (Math.sqrt(0.0496) + 0.5), 6);
    expect(second.state.steps).toBe(2);
  });

  it('fedyogi: v moves towards Δ² by steps of bounded size', () => {
    const strategySettings = { eta: 0.1, tau: 0.5, beta1: 0, beta2: 0.9, v0: 1 };
    // Δ² = 4 > v = 1: v = 1 + 0.1·4
    expect(stepOf(aggregate('fedyogi', [update([2])], { strategySettings }))[0]).toBeCloseTo(
      0.2 / (Math.sqrt(1.4) + 0.5),
      6,
    );
    // Δ² = 0.25 < v = 1: v = 1 − 0.1·0.25
    expect(stepOf(aggregate('fedyogi', [update([0.5])], { strategySettings }))[0]).toBeCloseTo(
      0.05 / (Math.sqrt(0.975) + 0.5),
      6,
    );
  });

  it('start v where their settings say: 0 for fedadagrad, τ² for the others', () => {
    expect(strategyByName('fedadagrad').settings.parse({})).toMatchObject({ v0: 0, beta1: 0 });
    expect(strategyByName('fedadam').settings.parse({})).toMatchObject({ v0: 1e-6, tau: 1e-3 });
  });

  it('forget another strategy’s vectors but not the evidence or the privacy spent', () => {
    const first = aggregate('fedadam', [update([2])]);
    const state = { ...first.state, evidence: [0.01], privacySpent: 3 };
    const next = aggregate('fedyogi', [update([2])], { state });
    expect(next.state.steps).toBe(1);
    expect(next.state).toMatchObject({ evidence: [0.01], privacySpent: 3 });
  });
});

describe('q-ffl', () => {
  const clients = [update([1], { baseLoss: 0.5 }), update([3], { baseLoss: 2 })];
  it.each([
    [0, 2],
    [0.1, 0.477159],
    [1, 0.0634146],
  ])('w = 0, clients at 1 and 3, losses 0.5 and 2, learning rate 0.1, q = %d → %d', (q, expected) => {
    expect(stepOf(aggregate('q-ffl', clients, { strategySettings: { q } }))[0]).toBeCloseTo(expected, 6);
  });

  it('gives the failing more weight, the opposite of rewarding the accurate', () => {
    const { weights } = aggregate('q-ffl', clients, { strategySettings: { q: 1 } }).proposals[0]!;
    expect(weights[1]! / weights[0]!).toBeCloseTo(4, 6);
  });
});

describe('robust rules', () => {
  it('median of 0.2, 1 and 0.5 is 0.5; of an even number the mean of the middle two', () => {
    expect(stepOf(aggregate('median', [update([0.2]), update([1]), update([0.5])]))[0]).toBeCloseTo(0.5, 7);
    expect(
      stepOf(aggregate('median', [update([0.25]), update([1]), update([0.5]), update([-9])]))[0],
    ).toBeCloseTo(0.375, 7);
  });

  it('median says whose coordinates it took', () => {
    const { weights } = aggregate('median', [update([0, 9]), update([1, 1]), update([2, 0])]).proposals[0]!;
    expect([...weights]).toEqual([0, 1, 0]);
  });

  it('trimmed mean drops ⌊βn⌋ at either end of each coordinate', () => {
    const updates = [update([1, -100]), update([2, 2]), update([3, 3]), update([4, 4]), update([100, 6])];
    expect(stepOf(aggregate('trimmed-mean', updates, { strategySettings: { beta: 0.2 } }))).toEqual([3, 3]);
    expect(stepOf(aggregate('trimmed-mean', updates, { strategySettings: { beta: 0.4 } }))).toEqual([3, 3]);
    expect(stepOf(aggregate('trimmed-mean', updates, { strategySettings: { beta: 0 } }))).toEqual([22, -17]);
  });

  it('multi-krum scores by distances to the nearest n − f − 2 others', () => {
    const updates = [update([0]), update([1]), update([2]), update([4]), update([100])];
    expect([...krumScores(updates, 2)]).toEqual([1 + 4, 1 + 1, 1 + 4, 4 + 9, 96 ** 2 + 98 ** 2]);
    const result = aggregate('multi-krum', updates, { strategySettings: { f: 1 } });
    expect(stepOf(result)[0]).toBeCloseTo((0 + 1 + 2 + 4) / 4, 6);
    expect(result.proposals[0]!.leftOut).toEqual([null, null, null, null, 'not-chosen']);
    expect(stepOf(aggregate('multi-krum', updates, { strategySettings: { f: 1, m: 1 } }))).toEqual([1]);
  });

  it('multi-krum refuses fewer than 2f + 3 updates', () => {
    const updates = [update([0]), update([1]), update([2]), update([3])];
    expect(() => aggregate('multi-krum', updates, { strategySettings: { f: 1 } })).toThrow(/2f \+ 3 = 5/);
    expect(() => aggregate('multi-krum', updates.slice(0, 2))).toThrow(/2f \+ 3 = 3/);
    expect(
      aggregate('multi-krum', updates).proposals[0]!.leftOut.filter((reason) => reason !== null),
    ).toHaveLength(0);
  });
});

describe('norm clipping', () => {
  it('combines with every strategy: nobody moves the model further than 1.5 × the median norm', () => {
    const updates = [1, 1.1, 0.9, 1, 1000].map((value) => update([value, 0]));
    for (const { name } of listStrategies()) {
      const clipped = aggregate(name, updates, { parts: { ...partsFor('fedavg', {}), clipping: true } });
      expect(clipped.clipped).toBe(1);
      for (const { delta } of clipped.proposals) expect(Math.abs(delta[0]!)).toBeLessThanOrEqual(1.5001);
    }
  });

  it('is off for textbook strategies unless it is asked for', () => {
    expect(partsFor('fedavg', {}).clipping).toBe(false);
    expect(partsFor('fedavg', { clipping: true }).clipping).toBe(true);
    expect(partsFor('closed-loop', {}).clipping).toBe(true);
    expect(stepOf(aggregate('fedavg', [update([1]), update([99])]))).toEqual([50]);
  });
});

describe('differential privacy', () => {
  const privacy = { noiseMultiplier: 1, clipNorm: 1 };
  const random = seededRandom(1, 'test');
  const noise = { ...privacy, normal: () => random.normal() };

  it('adds noise of z·C/n to a mean of equal weights', () => {
    const updates = Array.from({ length: 100 }, (_, at) =>
      update(new Array<number>(400).fill(0), { deviceId: `d${at}`, rows: at + 1 }),
    );
    const result = aggregate('fedavg', updates, { noise });
    const step = stepOf(result);
    const deviation = Math.sqrt(step.reduce((sum, value) => sum + value * value, 0) / step.length);
    expect(deviation).toBeGreaterThan(0.009);
    expect(deviation).toBeLessThan(0.011);
    expect(new Set(result.proposals[0]!.weights).size).toBe(1);
  });

  it('clips to the norm asked for, not to the median', () => {
    const result = aggregate('fedavg', [update([30, 40]), update([0.3, 0.4])], {
      noise: { ...noise, noiseMultiplier: 1e-9 },
    });
    expect(stepOf(result)[0]).toBeCloseTo((0.6 + 0.3) / 2, 5);
  });

  it('is refused to a strategy that takes two means, of which only one was booked', () => {
    const twice: Strategy = {
      ...strategyByName('fedavg'),
      aggregate: (updates, context, settings) => {
        context.mean(updates, [1]);
        return strategyByName('fedavg').aggregate(updates, context, settings);
      },
    };
    expect(() => aggregate('fedavg', [update([1])], { strategy: twice, noise })).toThrow(
      'the strategy takes more than one mean',
    );
  });

  it.each(listStrategies().filter(({ takesNoise }) => takesNoise))(
    'reaches the step of $name',
    ({ name }) => {
      const updates = [update([1]), update([1]), update([1])];
      expect(stepOf(aggregate(name, updates, { noise }))).not.toEqual(stepOf(aggregate(name, updates)));
    },
  );

  it.each(listStrategies().filter(({ takesNoise }) => !takesNoise))(
    'is refused for $name, which it would not protect, by a round’s input and again at the server',
    ({ name: strategy }) => {
      expect(federatedRoundInputSchema.safeParse({ strategy, privacy }).error?.issues[0]?.message).toMatch(
        /use fedavg, fedprox, fedadam, fedyogi, fedadagrad$/,
      );
      expect(() => aggregate(strategy, [update([1]), update([2]), update([3])], { noise })).toThrow(
        /^privacy: Gaussian noise protects nobody/,
      );
    },
  );
});

describe('state', () => {
  it('comes back bit by bit, and nothing else is taken for it', () => {
    const { state } = aggregate('fedadam', [update([0.1, Math.PI])]);
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(() => decodeState('{"strategy":"fedadam"}')).toThrow(/server state/);
    expect(() => decodeState('not json')).toThrow(/server state/);
  });

  it('with more rounds of evidence than count is read, and keeps the last ones', () => {
    const { state } = aggregate('fedadam', [update([1])]);
    const stored = encodeState({ ...state, evidence: [1, 2, 3, 4, 5, 6] });
    expect(decodeState(stored).evidence).toEqual([3, 4, 5, 6]);
  });

  it('with vectors of another length than the model is used without them', () => {
    const { state } = aggregate('fedadam', [update([1, 2])]);
    const known = { ...state, privacySpent: 3 };
    expect(stateFor('fedadam', known, 2)).toBe(known);
    expect(stateFor('fedadam', known, 3)).toEqual({ ...known, steps: 0, vectors: {} });
  });
});
