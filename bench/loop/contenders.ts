import { partsFor, type LoopParts } from '../../core/contracts/rounds';
import { STRATEGY_NAMES, type StrategyName } from '../../core/contracts/strategies';

/** One way to run the rounds: a strategy with published settings. */
export interface Contender {
  readonly name: string;
  readonly about: string;
  readonly strategy: StrategyName;
  readonly strategySettings: Readonly<Record<string, number>>;
  readonly parts: LoopParts;
  /** `feedback`: boundary weighting are as wide as the champion's live error. A number: that width always, for loops without feedback. */
  readonly boundaryWidth: 'feedback' | number;
  /** Panels' actual values are dealt to the wrong samples: the same machinery without information. */
  readonly shuffled: boolean;
  /** Whether the window in shadow can stop a candidate. */
  readonly liveGate: boolean;
  /** Count forecasts as served, with each device's corrections by its own past errors. Rounds go by the version's own. */
  readonly adapters: boolean;
  /** Windows by which panels and sums are behind. */
  readonly delay: number;
  /** Half-way between two rounds what serves is refitted to the freshest windows, as `continuousEvaluation` asks for it. */
  readonly refitsBetween?: true;
  /** Everybody off the panels trains; left out: as many as in the run. */
  readonly participants?: 'all';
}

/** Windows by which stale panels are behind: as many as the longest of them look back. */
const STALE_WINDOWS = 48;

const openLoop: Contender = {
  name: 'open-loop',
  about: 'weights = self-reported accuracy; SGD 0.05, 5 epochs, batch 32; no clipping, momentum or gate',
  strategy: 'open-loop',
  strategySettings: {},
  parts: partsFor('open-loop', {}),
  boundaryWidth: 'feedback',
  shuffled: false,
  liveGate: false,
  adapters: false,
  delay: 0,
};

const closedLoop: Contender = {
  name: 'closed-loop',
  about: 'the default',
  strategy: 'closed-loop',
  strategySettings: {},
  parts: partsFor('closed-loop', {}),
  boundaryWidth: 'feedback',
  shuffled: false,
  liveGate: true,
  adapters: false,
  delay: 0,
};

/** Parts that can be left out of the closed loop, and the effect. */
const PARTS = {
  boundaryWeighting: 'all training samples count alike',
  clipping: 'updates are taken as long as they are',
  realWeights: 'the responsive candidate believes self-reports, the steady one everybody',
  steadyRefit: 'the steady output layer stays as averaged',
  refit: 'the responsive output layer stays as averaged',
  evidenceRule: 'the responsive candidate always serves',
  linear: 'the fleet has no linear model beside the networks',
  liveGate: 'the window in shadow stops nobody',
} as const satisfies Partial<Readonly<Record<keyof LoopParts | 'liveGate', string>>>;
type Part = keyof typeof PARTS;
const PART_NAMES = Object.keys(PARTS).filter((name): name is Part => name in PARTS);

/** The closed loop without some of its parts. Leaving out several shows the effect of parts that stand in for one another. */
function without(...parts: readonly Part[]): Contender {
  const off = Object.fromEntries(parts.filter((part) => part !== 'liveGate').map((part) => [part, false]));
  return {
    ...closedLoop,
    name: parts.map((part) => `− ${part}`).join(' '),
    about: parts.map((part) => PARTS[part]).join('; '),
    parts: { ...closedLoop.parts, ...off },
    liveGate: !parts.includes('liveGate'),
  };
}

/** The opponent first; all others are compared with it on the same fleets, seeds and rounds. */
export const CONTENDERS: readonly Contender[] = [
  openLoop,
  {
    ...openLoop,
    name: 'open-loop tuned',
    about:
      'the best fixed settings without feedback: clipping at 1.5 × median norm, boundary weighting of width 0.6, momentum 0.5',
    strategySettings: { momentum: 0.5 },
    parts: partsFor('open-loop', { clipping: true, boundaryWeighting: true }),
    boundaryWidth: 0.6,
  },
  {
    ...openLoop,
    name: 'fedavg',
    about: 'weights = training rows',
    strategy: 'fedavg',
    parts: partsFor('fedavg', {}),
  },
  closedLoop,
  {
    ...closedLoop,
    name: 'closed-loop shuffled',
    about: 'closed-loop whose panels see actual values of other samples',
    shuffled: true,
  },
  {
    ...closedLoop,
    name: 'closed-loop stale',
    about: `closed-loop whose panels and sums are ${STALE_WINDOWS} windows old, labels and all: the placebo`,
    delay: STALE_WINDOWS,
  },
  {
    ...closedLoop,
    name: '+ all',
    about: 'everybody off the panels trains in every round',
    participants: 'all',
  },
  ...PART_NAMES.map((part) => without(part)),
  {
    ...closedLoop,
    name: '+ panelGate',
    about: 'panel C stops responsive candidates that are worse there, before they are deployed',
    parts: partsFor('closed-loop', { panelGate: true }),
  },
  {
    ...closedLoop,
    name: '+ adapters',
    about:
      "the closed loop's forecasts as served: each device corrects them by its own past errors, while that helps the fleet",
    adapters: true,
  },
  {
    ...closedLoop,
    name: '+ adapters + between',
    about: 'half-way between two rounds what serves is refitted, too; forecasts count as served',
    adapters: true,
    refitsBetween: true,
  },
  {
    ...closedLoop,
    name: '+ all + adapters',
    about: 'everybody off the panels trains, and forecasts count as served',
    participants: 'all',
    adapters: true,
  },
];

/**
 * The opponent, and those named: contenders by their names, the closed loop without several parts (`− clipping − realWeights`), or any strategy
 * as it is by default. Null when a name is none of them.
 */
export function contendersNamed(names: readonly string[]): readonly Contender[] | null {
  const chosen: Contender[] = [openLoop];
  for (const name of names) {
    if (name === openLoop.name) continue;
    const known =
      CONTENDERS.find((contender) => contender.name === name) ?? withoutNamed(name) ?? plainStrategy(name);
    if (known === null) return null;
    chosen.push(known);
  }
  return chosen;
}

function withoutNamed(name: string): Contender | null {
  const [before, ...named] = name.split('− ').map((part) => part.trim());
  const parts = named.flatMap((part) => PART_NAMES.find((known) => known === part) ?? []);
  return before === '' && parts.length > 0 && parts.length === named.length ? without(...parts) : null;
}

function plainStrategy(name: string): Contender | null {
  const strategy = STRATEGY_NAMES.find((known) => known === name);
  if (strategy === undefined) return null;
  return {
    ...openLoop,
    name,
    about: 'as its paper says, with default settings',
    strategy,
    parts: partsFor(strategy, {}),
  };
}
