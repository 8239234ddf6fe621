import { z } from 'zod';

/**
 * How large a score gets by chance: a histogram of scores so far, older ones fading, that says what share of them reaches a score, and which score
 * a wanted share reaches.
 *
 * It begins as a tail heavier than a normal one (Laplace's), so that there are too few alarms at first rather than too many. Beyond the scores that
 * were seen often enough the tail is drawn on by the moment estimator of Dekkers, Einmahl and de Haan (1989), which fits light and heavy tails alike.
 */

/** Bins equal in log₂, eight to an octave; the first takes all smaller scores, the last all larger ones. */
const BINS_PER_OCTAVE = 8;
const MIN_OCTAVE = -2;
const OCTAVES = 10;
const BINS = OCTAVES * BINS_PER_OCTAVE;

/** Weight of the tail that it begins with, in scores. */
const PRIOR_WEIGHT = 500;
/** Share of the past that stays with each window: half is gone after 138. */
const MEMORY = 0.995;
/** The same of the tail that it begins with: half is gone after 7. */
const PRIOR_MEMORY = 0.9;
/** Scores that must reach a share before it is read off the histogram, and that the tail beyond is drawn from. */
const MIN_REACHED = 50;
/** No tail is taken for heavier than one without a mean. */
const MAX_INDEX = 1;

/** The faded scores of a tail, as a checkpoint keeps them. */
export const savedTailSchema = z.object({ prior: z.number(), seen: z.array(z.number()).length(BINS) });
export type SavedTail = z.infer<typeof savedTailSchema>;

export class Tail {
  /** Faded scores by bin, and the weight of the tail that it began with. */
  private readonly seen = new Float64Array(BINS);
  private prior = PRIOR_WEIGHT;
  /** Weight of all scores in a bin or a higher one. */
  private readonly reached = new Float64Array(BINS + 1);
  /** Beyond this bin's lower edge the tail is drawn on. */
  private from = 0;
  private decay: Decay = { scale: 0, index: 0 };

  constructor() {
    this.settle();
  }

  /** Nothing was learnt yet, nor restored of one that had. */
  get isNew(): boolean {
    return this.prior === PRIOR_WEIGHT;
  }

  /** Learn the scores of one window; NaN counts for nothing. */
  learn(scores: Iterable<number>): void {
    this.prior *= PRIOR_MEMORY;
    for (let bin = 0; bin < BINS; bin += 1) this.seen[bin] = MEMORY * (this.seen[bin] ?? 0);
    for (const score of scores) {
      if (Number.isNaN(score)) continue;
      const bin = Math.floor(placeOf(score));
      this.seen[bin] = (this.seen[bin] ?? 0) + 1;
    }
    this.settle();
  }

  /** The share of scores that are expected to reach `score`. */
  share(score: number): number {
    const place = placeOf(score);
    const total = this.reached[0] ?? 0;
    if (place >= this.from) {
      const excess = scoreAt(place) - scoreAt(this.from);
      return ((this.reached[this.from] ?? 0) / total) * shareBeyond(this.decay, excess);
    }
    const bin = Math.floor(place);
    const [above = 0, below = 0] = [this.reached[bin + 1], this.reached[bin]];
    return (below + (above - below) * (place - bin)) / total;
  }

  /** The score that a share of them, above 0, reaches. */
  limit(share: number): number {
    const total = this.reached[0] ?? 0;
    const wanted = share * total;
    const last = this.reached[this.from] ?? 0;
    if (wanted <= last) return scoreAt(this.from) + excessOf(this.decay, wanted / last);
    let bin = this.from;
    while (bin > 0 && (this.reached[bin - 1] ?? 0) < wanted) bin -= 1;
    const [above = 0, below = 0] = [this.reached[bin], this.reached[bin - 1]];
    return scoreAt(bin - (wanted - above) / (below - above));
  }

  save(): SavedTail {
    return { prior: this.prior, seen: [...this.seen] };
  }

  restore({ prior, seen }: SavedTail): void {
    this.prior = prior;
    this.seen.set(seen);
    this.settle();
  }

  private settle(): void {
    const { seen, prior, reached } = this;
    const weights = seen.map((weight, bin) => weight + prior * (LAPLACE[bin] ?? 0));
    for (let bin = BINS - 1; bin >= 0; bin -= 1) reached[bin] = (reached[bin + 1] ?? 0) + (weights[bin] ?? 0);
    this.from = BINS - 1;
    while (this.from > 0 && (reached[this.from] ?? 0) < MIN_REACHED) this.from -= 1;
    this.decay = decayOf(weights, this.from);
  }
}

/**
 * How a tail goes on: a score beyond the edge exceeds it by y or more with the probability (1 + index · y / scale)^(−1/index), or exp(−y / scale) for
 * the index 0.
 */
interface Decay {
  readonly scale: number;
  readonly index: number;
}

/** The moment estimator: from the first two moments of the logarithms beyond the edge of a bin. */
function decayOf(weights: Float64Array, from: number): Decay {
  let [count, first, second] = [0, 0, 0];
  for (let bin = from; bin < BINS; bin += 1) {
    const beyond = Math.log(scoreAt(bin + HALF) / scoreAt(from));
    const weight = weights[bin] ?? 0;
    count += weight;
    first += weight * beyond;
    second += weight * beyond * beyond;
  }
  first /= count;
  second /= count;
  const index = first + 1 - 0.5 / (1 - (first * first) / second);
  // A lighter tail than an exponential one is taken for exponential: too few alarms rather than too many.
  return {
    scale: scoreAt(from) * first,
    index: Number.isFinite(index) ? Math.min(Math.max(index, 0), MAX_INDEX) : 0,
  };
}

const HALF = 0.5;

function shareBeyond({ scale, index }: Decay, excess: number): number {
  return index === 0 ? Math.exp(-excess / scale) : (1 + (index * excess) / scale) ** (-1 / index);
}

function excessOf({ scale, index }: Decay, share: number): number {
  return index === 0 ? -scale * Math.log(share) : (scale / index) * (share ** -index - 1);
}

/** Of a variable with Laplace's distribution and a standard deviation of 1: the share of its absolute values in each bin. */
function laplaceShares(): Float64Array {
  const reaching = (bin: number): number => (bin === 0 ? 1 : Math.exp(-Math.SQRT2 * scoreAt(bin)));
  return Float64Array.from(
    { length: BINS },
    (_, bin) => reaching(bin) - (bin === BINS - 1 ? 0 : reaching(bin + 1)),
  );
}
const LAPLACE = laplaceShares();

/** Place of a score among the bins, with a fraction. */
function placeOf(score: number): number {
  if (!(score > 0)) return 0;
  return Math.min(Math.max((Math.log2(score) - MIN_OCTAVE) * BINS_PER_OCTAVE, 0), BINS - HALF);
}

function scoreAt(place: number): number {
  return 2 ** (place / BINS_PER_OCTAVE + MIN_OCTAVE);
}
