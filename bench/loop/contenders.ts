import { partsFor, STRATEGY_NAMES, type LoopParts, type StrategyName } from '../../core/contracts/rounds';

/** Someone who runs the rounds: a strategy with published settings. */
export interface Contender {
  readonly name: string;
  readonly about: string;
  readonly strategy: StrategyName;
  readonly strategySettings: Readonly<Record<string, number>>;
  readonly parts: LoopParts;
  /** `feedback`: edge weights are as wide as the champion's live error. A number: that width always, for loops without feedback. */
  readonly edgeWidth: 'feedback' | number;
  /** Panels' actual values are dealt to the wrong samples: the same machinery without information. */
  readonly shuffled: boolean;
  /** Whether the window in shadow can stop a candidate. */
  readonly liveGate: boolean;
}

const openLoop: Contender = {
  name: 'open-loop',
  about: 'weights = self-reported accuracy; SGD 0.05, 5 epochs, batch 32; no clipping, momentum or gate',
  strategy: 'open-loop',
  strategySettings: {},
  parts: partsFor('open-loop', {}),
  edgeWidth: 'feedback',
  shuffled: false,
  liveGate: false,
};

const closedLoop: Contender = {
  name: 'closed-loop',
  about: 'the default: every part on',
  strategy: 'closed-loop',
  strategySettings: {},
  parts: partsFor('closed-loop', {}),
  edgeWidth: 'feedback',
  shuffled: false,
  liveGate: true,
};

function without(part: keyof LoopParts, about: string): Contender {
  return { ...closedLoop, name: `− ${part}`, about, parts: { ...closedLoop.parts, [part]: false } };
}

/** The opponent first; everybody is compared with it on the same fleets, seeds and rounds. */
export const CONTENDERS: readonly Contender[] = [
  openLoop,
  {
    ...openLoop,
    name: 'open-loop tuned',
    about:
      'the best fixed settings without feedback: clipping at 1.5 × median norm, edge weights of width 0.6, momentum 0.5',
    strategySettings: { momentum: 0.5 },
    parts: partsFor('open-loop', { clipping: true, edgeWeights: true }),
    edgeWidth: 0.6,
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
  without('edgeWeights', 'all training samples count alike'),
  without('clipping', 'updates are taken as long as they are'),
  without('realWeights', 'the responsive candidate believes self-reports, the steady one everybody'),
  without('steadyRefit', 'the steady output layer stays as averaged'),
  without('refit', 'the responsive output layer stays as averaged'),
  without('evidenceRule', 'the responsive candidate always serves'),
  without('panelGate', 'panel C stops nobody'),
  { ...closedLoop, name: '− liveGate', about: 'the window in shadow stops nobody', liveGate: false },
];

/**
 * The opponent, and those named: contenders by their names, or any strategy as it is by default. Null when a name is neither.
 */
export function contendersNamed(names: readonly string[]): readonly Contender[] | null {
  const chosen: Contender[] = [openLoop];
  for (const name of names) {
    if (name === openLoop.name) continue;
    const known = CONTENDERS.find((contender) => contender.name === name) ?? plainStrategy(name);
    if (known === null) return null;
    chosen.push(known);
  }
  return chosen;
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
