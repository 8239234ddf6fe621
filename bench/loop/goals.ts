import { type Line, type Opponent } from './lines';
import { differenceOf } from './report';

/** A goal of the loop: a lower bound on a paired difference, in points. */
interface Goal {
  readonly contender: string;
  readonly opponent: Opponent;
  readonly clock: 'independent' | 'shared';
  readonly scenario: string;
  readonly min: number;
  /** Whether the whole interval, and not the mean alone, must lie above 0. */
  readonly beyondChance: boolean;
}

const against = (
  opponent: Opponent,
  beyondChance: boolean,
  minimums: Readonly<Record<string, number>>,
): Goal[] =>
  Object.entries(minimums).map(([scenario, min]) => ({
    contender: 'closed-loop',
    opponent,
    clock: 'independent',
    scenario,
    min,
    beyondChance,
  }));

/** The project's goals for the closed loop with 20 participants, 12 rounds of 6 windows, the last 4 counted, 8 seeds. */
export const GOALS: readonly Goal[] = [
  ...against('open-loop', true, {
    stationary: 0.3,
    season: 1.5,
    clock: 3,
    'clock-half': 1.5,
    recal: 0.7,
    faults: 0.3,
    attack: 1,
    'attack-30': 0.8,
  }),
  ...against('open-loop tuned', false, {
    stationary: -0.3,
    season: 1,
    clock: 2,
    'clock-half': 1,
    recal: -0.3,
    faults: -0.3,
    attack: -0.3,
    'attack-30': -0.3,
    'attack-scaled': -0.3,
  }),
];

export interface Verdict {
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

/** Goals for which there are lines, with what was measured. */
export function judgeGoals(lines: readonly Line[]): Verdict[] {
  const find = (contender: string, scenario: string, clock: string): Line | undefined =>
    lines.find((line) => line.contender === contender && line.scenario === scenario && line.clock === clock);
  const single = GOALS.flatMap((goal): Verdict[] => {
    const difference = find(goal.contender, goal.scenario, goal.clock)?.against[goal.opponent];
    if (difference === undefined) return [];
    const clear = !goal.beyondChance || (difference.low ?? -Infinity) > 0;
    return [
      {
        goal: `${goal.contender} − ${goal.opponent}, ${goal.scenario}: at least ${goal.min}${goal.beyondChance ? ', interval above 0' : ''}`,
        measured: differenceOf(difference),
        met: difference.mean >= goal.min && clear,
      },
    ];
  });
  return [...single, ...scaledAttack(find), ...sharedClock(lines), ...shuffledLoses(lines)];
}

/** 10 % inverted ×10 must not cost more than a point: the same fleets without attackers are those of `stationary`. */
function scaledAttack(
  find: (contender: string, scenario: string, clock: string) => Line | undefined,
): Verdict[] {
  const attacked = find('closed-loop', 'attack-scaled', 'independent');
  const free = find('closed-loop', 'stationary', 'independent');
  if (attacked === undefined || free === undefined) return [];
  const cost = free.accuracy.mean - attacked.accuracy.mean;
  return [
    {
      goal: 'closed-loop, attack-scaled: within 1 point of stationary',
      measured: `${cost.toFixed(2)} points below`,
      met: cost <= 1,
    },
  ];
}

function sharedClock(lines: readonly Line[]): Verdict[] {
  return lines
    .filter(({ contender, clock }) => contender === 'closed-loop' && clock === 'shared')
    .flatMap(({ scenario, against: { 'open-loop': difference } }) =>
      difference === undefined
        ? []
        : [
            {
              goal: `closed-loop − open-loop, ${scenario} on a shared clock: no worse than −0.5`,
              measured: differenceOf(difference),
              met: difference.mean >= -0.5,
            },
          ],
    );
}

function shuffledLoses(lines: readonly Line[]): Verdict[] {
  return lines
    .filter(({ contender }) => contender === 'closed-loop shuffled')
    .flatMap(({ scenario, clock, against: { 'closed-loop': difference } }) =>
      difference === undefined
        ? []
        : [
            {
              goal: `closed-loop shuffled − closed-loop, ${scenario}, ${clock} clock: below 0`,
              measured: differenceOf(difference),
              met: difference.mean < 0,
            },
          ],
    );
}
