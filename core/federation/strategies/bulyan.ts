import { z } from 'zod';
import { medianOfSorted } from '../vectors';
import { meanOfKept } from './coordinate-wise';
import { attackersToBear, distancesOf } from './multi-krum';
import { defineStrategy, soleProposal } from './strategy';

/**
 * Bulyan (El Mhamdi et al. 2018, arXiv 1802.07927), for n ≥ 4f + 3 updates: Krum chooses one update after the other, each among those that are left, until there
 * are θ = n − 2f; of them each coordinate takes the mean of the θ − 2f values nearest to its median. So a coordinate in which an attacker is far off cannot hide
 * behind the others.
 */
export const bulyan = defineStrategy('bulyan', {
  formula:
    'w + per coordinate the mean of the θ − 2f values nearest to the median, of θ = n − 2f chosen by Krum',
  paper: 'El Mhamdi et al. 2018, arXiv 1802.07927',
  settings: z.strictObject({
    f: z.int().min(-1).default(-1).describe('f, attackers to bear; −1: as many as n allows'),
  }),
  aggregate(updates, { base, state }, { f }) {
    const count = updates.length;
    const attackers = attackersToBear('bulyan', f, { count, perAttacker: 4 });
    const chosen = chooseByKrum(distancesOf(updates), attackers, count - 2 * attackers);
    const kept = count - 4 * attackers;
    const some = updates.filter((_, index) => chosen.has(index));
    const mean = meanOfKept(some, base.length, (sorted) => nearestToMedian(sorted, kept));
    const shares = mean.weights.values();
    const weights = Float64Array.from(updates, (_, index) =>
      chosen.has(index) ? (shares.next().value ?? NaN) : 0,
    );
    const leftOut = updates.map((_, index) => (chosen.has(index) ? null : 'not-chosen'));
    return soleProposal({ delta: mean.delta, weights }, state, leftOut);
  },
});

/**
 * The first `wanted` that Krum chooses, each among the m that are left: the one whose m − f − 2 nearest are nearest. Each choice takes one neighbour and one place
 * from everybody, so that a score changes by one distance: n² steps after the sorting.
 * @param distances squared [n][n]
 */
export function chooseByKrum(
  distances: readonly Float64Array[],
  attackers: number,
  wanted: number,
): ReadonlySet<number> {
  const rows = distances.map((row) => new Neighbours(row, distances.length - attackers - 2));
  const chosen = new Set<number>();
  while (chosen.size < wanted) {
    let best = -1;
    rows.forEach((row, index) => {
      if (chosen.has(index)) return;
      if (best < 0 || row.score < (rows[best]?.score ?? NaN)) best = index;
    });
    chosen.add(best);
    for (const row of rows) row.drop(best);
  }
  return chosen;
}

/** The distances of one update to the others that are left, and the sum of the nearest. */
class Neighbours {
  score = 0;
  private readonly order: Int32Array;
  private readonly place: Int32Array;
  private readonly gone: Uint8Array;
  /** Place of the last one that counts. */
  private last: number;

  constructor(
    private readonly distances: Float64Array,
    nearest: number,
  ) {
    this.order = Int32Array.from(distances.keys()).sort(
      (one, other) => (distances[one] ?? NaN) - (distances[other] ?? NaN) || one - other,
    );
    this.place = new Int32Array(distances.length);
    this.order.forEach((index, place) => (this.place[index] = place));
    this.gone = new Uint8Array(distances.length);
    // The nearest of all is the update itself, or one of its equals: at a distance of 0, too.
    this.last = Math.max(nearest, 0);
    for (let place = 1; place <= this.last; place += 1) this.score += this.at(place);
  }

  /** One is left less, and one less counts. */
  drop(index: number): void {
    const place = this.place[index] ?? NaN;
    this.gone[place] = 1;
    if (this.last < 1) return;
    // Either it counted itself, or the furthest of those that count does no longer.
    this.score -= place <= this.last ? this.at(place) : this.at(this.last);
    if (place > this.last) this.last -= 1;
    while (this.last > 0 && this.gone[this.last] === 1) this.last -= 1;
  }

  private at(place: number): number {
    return this.distances[this.order[place] ?? NaN] ?? NaN;
  }
}

/** The `kept` sorted values nearest to their median, as the range that they are. */
export function nearestToMedian(sorted: Float64Array, kept: number): readonly [number, number] {
  const median = medianOfSorted(sorted);
  let from = 0;
  let until = sorted.length;
  while (until - from > kept) {
    const below = median - (sorted[from] ?? NaN);
    const above = (sorted[until - 1] ?? NaN) - median;
    if (below > above) from += 1;
    else until -= 1;
  }
  return [from, until];
}
