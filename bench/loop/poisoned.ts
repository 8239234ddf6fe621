import { seededRandom } from '../../core/platform/random';
import { SCENARIOS, type Scenario } from '../../fleet/settings';
import { type PlayedGame } from './jobs';
import { type Span } from './lines';
import { type Played } from './score';
import { estimate, type Estimate } from './statistics';
import { type ReadingLies } from './world';

/** Scenarios of the fleet, and one that is a bench's alone: the fleet of `stationary`, of which some devices send readings that they make up. */
export const LOOP_SCENARIOS = [...SCENARIOS, 'poisoned'] as const;
export type LoopScenario = (typeof LOOP_SCENARIOS)[number];

/** The share of devices that send poisoned readings. */
export const POISONED_SHARE = 0.05;

/** Tolerances that a poisoned reading jumps: with a forecast's own step it lies about where a refit's residuals pull hardest. */
const JUMP = 1;

/** The fleet that plays a scenario. */
export function fleetOf(scenario: LoopScenario): Scenario {
  return scenario === 'poisoned' ? 'stationary' : scenario;
}

/** Places of the devices that poison their readings. */
export function poisoners(seed: number, devices: number): ReadonlySet<number> {
  const places = Array.from({ length: devices }, (_, place) => place);
  seededRandom(seed, 'poisoners').shuffle(places);
  return new Set(places.slice(0, Math.round(POISONED_SHARE * devices)));
}

export function poison(seed: number, devices: number, tolerance: number): ReadingLies {
  const places = poisoners(seed, devices);
  return {
    source: (place) => place,
    means: (place, truth, first) => (places.has(place) ? against(truth, first, tolerance) : truth),
  };
}

/**
 * Every other window is true, so that a model knows what comes; the one behind it jumps the other way. Who sends such readings knows the
 * true change, which is what a good model forecasts.
 */
export function against(truth: Float64Array, first: number, tolerance: number): Float64Array {
  return truth.map((value, at) => {
    const before = truth[at - 1] ?? NaN;
    if ((first + at) % 2 === 0 || Number.isNaN(before) || Number.isNaN(value)) return value;
    return before - Math.sign(value - before) * JUMP * tolerance;
  });
}

/** What poisoned readings cost a contender, in points. */
export interface PoisonLoss {
  readonly clock: string;
  readonly contender: string;
  readonly lost: Estimate;
}

/** Accuracy in `stationary` − in `poisoned`, seed by seed, on the same honest devices' live windows of the last rounds. Empty unless both were played. */
export function poisonLosses(games: readonly PlayedGame[], devices: number, span: Span): PoisonLoss[] {
  const lost = new Map<string, { readonly clock: string; readonly contender: string; values: number[] }>();
  for (const { game, played } of games.filter((one) => one.game.scenario === 'poisoned')) {
    const { clock, seed } = game;
    const free = games.find(
      (one) => one.game.scenario === 'stationary' && one.game.clock === clock && one.game.seed === seed,
    );
    const liars = poisoners(seed, devices);
    for (const [contender, lied] of played) {
      const honest = free?.played.get(contender);
      if (honest === undefined) continue;
      const own = lost.get(`${clock}/${contender}`) ?? { clock, contender, values: [] };
      own.values.push(honestAccuracy(honest, liars, span) - honestAccuracy(lied, liars, span));
      lost.set(`${clock}/${contender}`, own);
    }
  }
  return [...lost.values()].map(({ values, ...about }) => ({ ...about, lost: estimate(values) }));
}

/** In percent. */
function honestAccuracy(
  { outcomes }: Played,
  liars: ReadonlySet<number>,
  { rounds, windows, lastRounds }: Span,
): number {
  const all = rounds * windows;
  const first = all - Math.min(lastRounds, rounds) * windows;
  const counting = outcomes.filter(
    (outcome, at) => outcome >= 0 && at % all >= first && !liars.has(Math.floor(at / all)),
  );
  return (100 * counting.reduce((right, outcome) => right + outcome, 0)) / counting.length;
}
