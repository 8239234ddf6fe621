import { type PlayedGame } from './jobs';
import { type Played } from './score';
import { accuracyOf, estimate, type Estimate } from './statistics';

/** The contenders that all others are compared with, seed by seed on the same fleets. */
export const OPPONENTS = ['open-loop', 'open-loop tuned', 'closed-loop'] as const;
export type Opponent = (typeof OPPONENTS)[number];

/** One contender in one scenario, over all seeds. Accuracies in percent, differences in points. */
export interface Line {
  readonly scenario: string;
  readonly clock: string;
  readonly contender: string;
  readonly accuracy: Estimate;
  readonly healthyAccuracy: Estimate;
  /** Contender − opponent, of those that played. */
  readonly against: Readonly<Partial<Record<Opponent, Estimate>>>;
  readonly healthyAgainst: Readonly<Partial<Record<Opponent, Estimate>>>;
  /** Mean accuracy round by round. */
  readonly byRound: readonly number[];
  /** Accuracy over the rounds that count, and who served, for each seed. */
  readonly seeds: readonly { readonly seed: number; readonly accuracy: number; readonly served: string }[];
}

export interface Span {
  readonly rounds: number;
  readonly windows: number;
  /** Rounds at the end that count. */
  readonly lastRounds: number;
}

/** Lines of all games: by clock, scenario and contender, in the order in which they were played. */
export function linesOf(games: readonly PlayedGame[], span: Span): Line[] {
  const byScenario = new Map<string, PlayedGame[]>();
  for (const played of games) {
    const key = `${played.game.clock}/${played.game.scenario}`;
    byScenario.set(key, [...(byScenario.get(key) ?? []), played]);
  }
  return [...byScenario.values()].flatMap((own) => linesOfScenario(own, span));
}

type Who = 'all' | 'healthy';

function linesOfScenario(games: readonly PlayedGame[], { rounds, windows, lastRounds }: Span): Line[] {
  const [first] = games;
  if (first === undefined) return [];
  const until = rounds * windows;
  const from = until - Math.min(lastRounds, rounds) * windows;
  const runsOf = (contender: string): Played[] =>
    games.flatMap(({ played }) => {
      const run = played.get(contender);
      return run === undefined ? [] : [run];
    });
  const lastOf = (contender: string, who: Who): number[] =>
    runsOf(contender).map((run) => accuracyOf(run, from, until, who));
  const against = (contender: string, who: Who): Line['against'] =>
    Object.fromEntries(
      OPPONENTS.filter((opponent) => opponent !== contender && first.played.has(opponent)).map((opponent) => {
        const theirs = lastOf(opponent, who);
        const own = lastOf(contender, who);
        return [opponent, estimate(own.map((value, at) => value - (theirs[at] ?? NaN)))];
      }),
    );
  return [...first.played.keys()].map((contender): Line => {
    const runs = runsOf(contender);
    return {
      scenario: first.game.scenario,
      clock: first.game.clock,
      contender,
      accuracy: estimate(lastOf(contender, 'all')),
      healthyAccuracy: estimate(lastOf(contender, 'healthy')),
      against: against(contender, 'all'),
      healthyAgainst: against(contender, 'healthy'),
      byRound: Array.from(
        { length: rounds },
        (_, round) =>
          estimate(runs.map((run) => accuracyOf(run, round * windows, (round + 1) * windows))).mean,
      ),
      seeds: games.map(({ game, played }) => {
        const run = played.get(contender);
        return {
          seed: game.seed,
          accuracy: run === undefined ? NaN : accuracyOf(run, from, until),
          served: run?.served ?? '',
        };
      }),
    };
  });
}
