import { z } from 'zod';

/** The facts that a workflow needs of a strategy. Its formula, paper, settings and code stand in core/federation/strategies/. */
export interface StrategyFacts {
  /** One line for `fedloop strategies`. */
  readonly summary: string;
  /** Whether Gaussian noise protects devices: true where the step is a function of one mean of equal weights. */
  readonly takesNoise: boolean;
  /** Whether sites train their devices on panel A for it; left out: not. */
  readonly needsRoot?: true;
  /** Whether sites correct gradients by control variates; left out: not. */
  readonly correctsGradients?: true;
}

/**
 * Every strategy, the default first. To add one: its line here and a file of its own in core/federation/strategies/.
 * The code does not compile until core/federation/strategies/index.ts has it too.
 */
export const STRATEGIES = {
  'closed-loop': {
    takesNoise: false,
    summary: 'a steady and a responsive candidate from real accuracy on devices that did not train (default)',
  },
  'open-loop': {
    takesNoise: false,
    summary: 'weights from self-reported accuracy, unchecked: the opponent of closed-loop',
  },
  fedavg: { takesNoise: true, summary: 'the mean of local models, weighted by their training rows' },
  fedavgm: { takesNoise: true, summary: 'fedavg, with momentum on the server' },
  fedprox: {
    takesNoise: true,
    summary: 'fedavg, with local training held near the global model by a pull μ',
  },
  fedadam: { takesNoise: true, summary: 'Adam on the server: steps by coordinate, with momentum' },
  fedyogi: {
    takesNoise: true,
    summary: 'Yogi on the server: Adam whose v changes by steps of bounded size',
  },
  fedadagrad: {
    takesNoise: true,
    summary: 'Adagrad on the server: steps by coordinate that shrink as changes add up',
  },
  fednova: {
    takesNoise: false,
    summary: 'fedavg, where devices with more rows pull no further for their more steps',
  },
  scaffold: {
    takesNoise: false,
    correctsGradients: true,
    summary:
      'the mean of local models, whose gradients are corrected by what each device usually pulls elsewhere',
  },
  'q-ffl': {
    takesNoise: false,
    summary: 'lifts the devices that the global model serves worst; q says how much',
  },
  median: {
    takesNoise: false,
    summary: 'the median of local models, coordinate by coordinate: holds against a minority of attackers',
  },
  'trimmed-mean': {
    takesNoise: false,
    summary: 'the mean of local models without the share β at either end, coordinate by coordinate',
  },
  'multi-krum': {
    takesNoise: false,
    summary:
      'the mean of the local models that lie closest together: holds against f attackers of n ≥ 2f + 3',
  },
  bulyan: {
    takesNoise: false,
    summary:
      'multi-krum, then the values nearest to the median, coordinate by coordinate: holds against f attackers of n ≥ 4f + 3',
  },
  'geometric-median': {
    takesNoise: false,
    summary:
      'the point with the least sum of distances to local models (RFA): holds against a minority of attackers',
  },
  fltrust: {
    takesNoise: false,
    needsRoot: true,
    summary:
      'trusts local models as far as they go the way of those trained on panel A: holds against a majority of attackers',
  },
} as const satisfies Readonly<Record<string, StrategyFacts>>;
export type StrategyName = keyof typeof STRATEGIES;

export const STRATEGY_NAMES = Object.keys(STRATEGIES).filter(
  (name): name is StrategyName => name in STRATEGIES,
);
const isUnknown = (issue: { readonly input?: unknown }): string =>
  `unknown strategy ${JSON.stringify(issue.input)}; there are ${STRATEGY_NAMES.join(', ')}`;
export const strategyNameSchema = z.enum(STRATEGY_NAMES, { error: isUnknown });

/**
 * `./mine.js`, `./folder/mine.mjs`, of which no part is `..`, hidden or empty; `package:mine`, `package:@plant/mine`. Without the word before it,
 * every misspelt strategy would be the name of a package.
 */
const OWN_NAME =
  /^(?:\.(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]*)+\.[cm]?js|package:(?:@[a-z0-9][a-z0-9._-]*\/)?[a-z0-9][a-z0-9._-]*)$/;
const MAX_OWN_NAME = 128;

const isUnknownToRounds = (issue: { readonly input?: unknown }): string =>
  `${isUnknown(issue)}; one of your own is "./FILE.js" or "package:NAME"`;

/** Of a strategy that somebody else has written: a file or package in the folder that the rounds worker's operator allows. */
export const ownStrategySchema = z
  .string()
  .max(MAX_OWN_NAME, { error: isUnknownToRounds })
  .regex(OWN_NAME, { error: isUnknownToRounds })
  .brand<'OwnStrategy'>();
export type OwnStrategyName = z.infer<typeof ownStrategySchema>;

/** The package that holds a strategy of somebody else's; undefined for a file. */
export function packageOf(name: OwnStrategyName): string | undefined {
  return /^package:(.*)$/.exec(name)?.[1];
}

/** What a round's input can name. */
export const roundStrategySchema = z.union([strategyNameSchema, ownStrategySchema], {
  error: isUnknownToRounds,
});
export type RoundStrategy = z.infer<typeof roundStrategySchema>;

export function isOwnStrategy(name: RoundStrategy): name is OwnStrategyName {
  return !(name in STRATEGIES);
}

/** Noise protects in no strategy of one's own: nobody knows how it uses the mean. */
export function takesNoise(name: RoundStrategy): boolean {
  return factsOf(name)?.takesNoise === true;
}

/** Whether sites train a root update on panel A for this strategy. */
export function needsRoot(name: RoundStrategy): boolean {
  return factsOf(name)?.needsRoot === true;
}

/** Whether sites correct gradients of local training for this strategy. */
export function correctsGradients(name: RoundStrategy): boolean {
  return factsOf(name)?.correctsGradients === true;
}

function factsOf(name: RoundStrategy): StrategyFacts | undefined {
  return isOwnStrategy(name) ? undefined : STRATEGIES[name];
}

/** The error for noise on a strategy that does not take it. */
export const NOISE_REFUSAL = `Gaussian noise protects nobody unless the strategy is a mean of equal weights; use ${STRATEGY_NAMES.filter(
  (name) => STRATEGIES[name].takesNoise,
).join(', ')}`;
