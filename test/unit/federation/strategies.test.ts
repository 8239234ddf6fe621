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
import { chooseByKrum, nearestToMedian } from '../../../core/federation/strategies/bulyan';
import { distancesOf, krumScores } from '../../../core/federation/strategies/multi-krum';
import { controlOf } from '../../../core/federation/strategies/scaffold';
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
    localSteps: (rows) => rows / 10,
    fleetDevices: 4,
    state: null,
    realAccuracy: null,
    rootUpdate: updates[0]!.delta.map((_, at) => (at === 0 ? 1 : 0)),
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

describe('fedavgm', () => {
  it('adds up steps: v = βv + Δ, w + ηv, by hand', () => {
    const about = { strategySettings: { eta: 0.5, momentum: 0.5 } };
    const first = aggregate('fedavgm', [update([1]), update([3])], about);
    expect(stepOf(first)).toEqual([1]);
    const second = aggregate('fedavgm', [update([4])], {
      ...about,
      state: decodeState(encodeState(first.state)),
    });
    expect(stepOf(second)).toEqual([0.5 * (0.5 * 2 + 4)]);
  });

  it('is fedavg with η = 1 and no momentum, also in a second round', () => {
    const about = { strategySettings: { eta: 1, momentum: 0 } };
    const first = aggregate('fedavgm', [update([1], { rows: 100 }), update([5], { rows: 300 })], about);
    expect(stepOf(first)).toEqual([4]);
    expect(stepOf(aggregate('fedavgm', [update([7])], { ...about, state: first.state }))).toEqual([7]);
  });
});

describe('fednova', () => {
  it('takes the mean step of devices, times the mean number of steps: 10 steps of 0.1 and 30 of 0.2', () => {
    const result = aggregate('fednova', [update([1], { rows: 100 }), update([6], { rows: 300 })]);
    // p = ¼, ¾; per step ¼ · 0.1 + ¾ · 0.2 = 0.175; ¼ · 10 + ¾ · 30 = 25 steps
    expect(stepOf(result)[0]).toBeCloseTo(4.375, 6);
    expect([...result.proposals[0]!.weights]).toEqual([0.5, 0.5]);
  });

  it('is fedavg where all take as many steps', () => {
    const updates = [update([1], { rows: 100 }), update([5], { rows: 300 })];
    expect(stepOf(aggregate('fednova', updates, { localSteps: () => 7 }))[0]).toBeCloseTo(4, 6);
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
      strategySettings: { eta: 0.1, tau: 0.5, v0: 0 },
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

  it('fedadam with bias correction lengthens the first step by √(1 − β₂²)/(1 − β₁²), the second by one of 3', () => {
    const settings = { eta: 0.1, tau: 0.5, beta1: 0.9, beta2: 0.99, v0: 0 };
    const corrected = { strategySettings: { ...settings, biasCorrection: 1 } };
    const plain = { strategySettings: settings };
    const first = aggregate('fedadam', [update([2])], corrected);
    const factor = (t: number): number => Math.sqrt(1 - 0.99 ** t) / (1 - 0.9 ** t);
    expect(stepOf(first)[0]! / stepOf(aggregate('fedadam', [update([2])], plain))[0]!).toBeCloseTo(
      factor(2),
      6,
    );
    const { state } = first;
    const second = [corrected, plain].map(
      (about) => stepOf(aggregate('fedadam', [update([1])], { ...about, state }))[0]!,
    );
    expect(second[0]! / second[1]!).toBeCloseTo(factor(3), 6);
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

  it.each(['fedadagrad', 'fedadam', 'fedyogi'])(
    '%s starts v at τ², its smallest value in the paper',
    (name) => {
      const { v0, tau } = strategyByName(name).settings.parse({});
      expect(v0).toBeCloseTo(tau! ** 2, 12);
    },
  );

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

describe('bulyan', () => {
  /** Each choice made anew, as the paper has it. */
  function chosenOneByOne(updates: readonly LocalUpdate[], f: number): Set<number> {
    const left = new Set(updates.keys());
    const chosen = new Set<number>();
    while (chosen.size < updates.length - 2 * f) {
      const indices = [...left];
      const scores = krumScores(
        indices.map((index) => updates[index]!),
        Math.max(0, left.size - f - 2),
      );
      const best = indices[scores.indexOf(Math.min(...scores))]!;
      chosen.add(best);
      left.delete(best);
    }
    return chosen;
  }

  it('chooses as Krum does, one after the other, of updates some of which are equal', () => {
    const random = seededRandom(7, 'bulyan');
    for (let trial = 0; trial < 40; trial += 1) {
      const f = trial % 4;
      const count = 4 * f + 3 + (trial % 5);
      // Whole numbers: the sums are exact, and many distances are the same.
      const updates = Array.from({ length: count }, () =>
        update([Math.round(random.normal() * 3), Math.round(random.normal() * 3)]),
      );
      expect(chooseByKrum(distancesOf(updates), f, count - 2 * f)).toEqual(chosenOneByOne(updates, f));
    }
  });

  it('takes of each coordinate the values nearest to the median of those that were chosen', () => {
    expect(nearestToMedian(Float64Array.of(0, 4, 5, 6, 20), 3)).toEqual([1, 4]);
    expect(nearestToMedian(Float64Array.of(0, 1, 2, 9), 2)).toEqual([1, 3]);
    const updates = [0, 1, 2, 3, 4, 5, 100].map((value) => update([value, 1]));
    const result = aggregate('bulyan', updates, { strategySettings: { f: 1 } });
    // 2 is the most central, then 1, 3, 0 and 4: the three nearest to their median 2.
    expect(stepOf(result)).toEqual([2, 1]);
    expect(result.proposals[0]!.leftOut[6]).toBe('not-chosen');
    expect([...result.proposals[0]!.weights].reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 9);
  });

  it('refuses fewer than 4f + 3 updates, and bears as many attackers as it can by itself', () => {
    const updates = [0, 1, 2, 3, 4, 5].map((value) => update([value]));
    expect(() => aggregate('bulyan', updates, { strategySettings: { f: 1 } })).toThrow(/4f \+ 3 = 7/);
    expect(stepOf(aggregate('bulyan', updates))[0]).toBeCloseTo(2.5, 6);
  });
});

describe('geometric-median', () => {
  it('is the corner of three at right angles that sees the others under 120°: Fermat’s point', () => {
    const updates = [update([0, 0]), update([1, 0]), update([0, 1])];
    // Known: ((3 − √3)/6, the same).
    for (const at of stepOf(aggregate('geometric-median', updates)))
      expect(at).toBeCloseTo((3 - Math.sqrt(3)) / 6, 4);
  });

  it('is the update that most are at, however far and many the others, short of half', () => {
    const updates = [
      ...Array.from({ length: 6 }, () => update([1, 2])),
      ...[1e3, 1e6, -1e6, 1e4, 5].map((x) => update([x, x])),
    ];
    const [x, y] = stepOf(aggregate('geometric-median', updates));
    expect(x).toBeCloseTo(1, 3);
    expect(y).toBeCloseTo(2, 3);
  });

  it('weighs by training rows', () => {
    const updates = [update([0], { rows: 300 }), update([9], { rows: 200 })];
    expect(stepOf(aggregate('geometric-median', updates))[0]).toBeCloseTo(0, 3);
  });
});

describe('scaffold', () => {
  it('moves by the mean step, and learns what devices pull on average, by hand', () => {
    // 10 local steps of length 0.1 each: τη = 1; 4 devices in the fleet.
    const first = aggregate('scaffold', [update([1]), update([3], { rows: 100 })]);
    expect(stepOf(first)).toEqual([2]);
    expect([...first.proposals[0]!.weights]).toEqual([0.5, 0.5]);
    const { state } = first;
    expect([...state.vectors['control']!]).toEqual([-(1 + 3) / 4]);
    // c = −1 of a device that trains: −1 + (1 − 2/1)/4; one of 20 local steps: τη = 2.
    const second = aggregate('scaffold', [update([2], { rows: 200 })], {
      state: decodeState(encodeState(state)),
      strategySettings: { eta: 0.5 },
    });
    expect(stepOf(second)).toEqual([1]);
    expect(second.state.vectors['control']![0]).toBeCloseTo(-1 + (1 - 2 / 2) / 4, 6);
  });

  it('knows its control variate from that of other strategies and networks', () => {
    const { state } = aggregate('scaffold', [update([1, 2])]);
    expect(controlOf(state, 2)).toEqual(state.vectors['control']);
    expect(controlOf(state, 3)).toBeNull();
    expect(controlOf(stateFor('fedavg', state, 2), 2)).toBeNull();
    expect(controlOf(withoutMomentum(state), 2)).toBeNull();
  });
});

describe('fltrust', () => {
  const rootUpdate = Float32Array.of(3, 4);

  it('trusts by the angle to the root update, and takes its length for all: by hand', () => {
    const updates = [update([0, 2]), update([10, 0]), update([-1, 0]), update([0, 0])];
    const result = aggregate('fltrust', updates, { rootUpdate });
    // Cosines 0.8, 0.6, −0.6 and none: (0.8 · [0, 5] + 0.6 · [5, 0]) / 1.4
    expect(stepOf(result)[0]).toBeCloseTo(3 / 1.4, 6);
    expect(stepOf(result)[1]).toBeCloseTo(4 / 1.4, 6);
    const { weights, leftOut } = result.proposals[0]!;
    expect([...weights].map((weight) => weight.toFixed(6))).toEqual([
      (4 / 7).toFixed(6),
      (3 / 7).toFixed(6),
      '0.000000',
      '0.000000',
    ]);
    expect(leftOut).toEqual([null, null, 'not-chosen', 'not-chosen']);
    expect(result.feedbackUsed).toEqual({ trusted_updates: 2 });
    const slower = aggregate('fltrust', updates, { rootUpdate, strategySettings: { alpha: 0.5 } });
    expect(stepOf(slower)[0]).toBeCloseTo(1.5 / 1.4, 6);
  });

  it('goes the way of the few honest among many attackers, and no further than the root update', () => {
    const attackers = Array.from({ length: 50 }, () => update([-300, -400]));
    const result = aggregate('fltrust', [update([6, 8]), ...attackers], { rootUpdate });
    expect(stepOf(result)).toEqual([3, 4]);
  });

  it('stays where it is when no update is trusted, and says that it needs a root update', () => {
    const against = [update([-3, -4])];
    expect(stepOf(aggregate('fltrust', against, { rootUpdate }))).toEqual([0, 0]);
    expect(stepOf(aggregate('fltrust', against, { rootUpdate: Float32Array.of(0, 0) }))).toEqual([0, 0]);
    expect(() => aggregate('fltrust', against, { rootUpdate: null })).toThrow(
      'no device of panel A could train',
    );
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
        /use fedavg, fedavgm, fedprox, fedadam, fedyogi, fedadagrad$/,
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
