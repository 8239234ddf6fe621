import { type PlayedGame } from './jobs';
import { type Span } from './lines';
import { type LoopScenario } from './scenarios';
import { type Played } from './score';
import { estimate, type Estimate } from './statistics';

/** What a scenario costs a contender, in points. */
export interface Loss {
  readonly clock: string;
  readonly contender: string;
  readonly lost: Estimate;
}

/**
 * Accuracy in `stationary` − in another scenario of the same fleet, seed by seed, on the same devices' live windows of the last rounds. Empty unless both
 * were played.
 * @param counts whether the device at a place counts
 */
export function lossesIn(
  scenario: LoopScenario,
  games: readonly PlayedGame[],
  counts: (seed: number) => (place: number) => boolean,
  span: Span,
): Loss[] {
  const lost = new Map<string, { readonly clock: string; readonly contender: string; values: number[] }>();
  for (const { game, played } of games.filter((one) => one.game.scenario === scenario)) {
    const { clock, seed } = game;
    const free = games.find(
      (one) => one.game.scenario === 'stationary' && one.game.clock === clock && one.game.seed === seed,
    );
    const isCounted = counts(seed);
    for (const [contender, changed] of played) {
      const unchanged = free?.played.get(contender);
      if (unchanged === undefined) continue;
      const own = lost.get(`${clock}/${contender}`) ?? { clock, contender, values: [] };
      own.values.push(difference(unchanged, changed, isCounted, span));
      lost.set(`${clock}/${contender}`, own);
    }
  }
  return [...lost.values()].map(({ values, ...about }) => ({ ...about, lost: estimate(values) }));
}

/** In points, where both have something to score: a device without a past is not forecast at first. */
function difference(
  unchanged: Played,
  changed: Played,
  isCounted: (place: number) => boolean,
  { rounds, windows, lastRounds }: Span,
): number {
  const all = rounds * windows;
  const first = all - Math.min(lastRounds, rounds) * windows;
  let [sum, count] = [0, 0];
  unchanged.outcomes.forEach((before, at) => {
    const after = changed.outcomes[at] ?? -1;
    if (before < 0 || after < 0 || at % all < first || !isCounted(Math.floor(at / all))) return;
    sum += before - after;
    count += 1;
  });
  return (100 * sum) / count;
}
