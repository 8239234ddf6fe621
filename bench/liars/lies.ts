import { type RoundChanges } from '../../core/backtest/changes';
import { type LocalUpdate } from '../../core/federation/strategies/strategy';
import { median, norm, times } from '../../core/federation/vectors';
import { type FlatWeights } from '../../core/model/types';
import { type Random } from '../../core/platform/random';
import { forgeCounts, forgeTally, scaleSums } from './forged-reports';
import { creeping, mirrored, wild, zigzag } from './false-readings';

/** What a liar's updates are, of a round's updates as they were trained, and who lies. */
type UpdateLie = (
  updates: readonly LocalUpdate[],
  isLiar: (deviceId: string) => boolean,
  direction: Random,
) => readonly LocalUpdate[];

/** One kind of lie: devices lie in their updates or readings, sites in what they report. */
export type Lie = { readonly about: string } & (
  | { readonly of: 'updates'; readonly tell: UpdateLie }
  /** `null`: the readings of another device. */
  | {
      readonly of: 'readings';
      readonly tell: ((truth: Float64Array, first: number, tolerance: number) => Float64Array) | null;
    }
  | { readonly of: 'reports'; readonly tell: Partial<Pick<RoundChanges, 'sums' | 'tally' | 'scores'>> }
);

/** A scaled attacker's factor, and how many median norms long a constant update is. */
const SCALE = 10;
/** Standard deviations that colluders stay away from the honest mean, coordinate by coordinate, as in Baruch et al. 2019. */
const LITTLE = 1.5;
/** What forgers claim, as far as the checks let them: the best model, and a loss that q-FFL would want to lift. */
const CLAIMS = { selfReportedAccuracy: 1, baseLoss: 1e6 } as const;
/** Far beyond what a site could have measured. */
const FLOOD = 1e6;

export const LIES = {
  inverted: { of: 'updates', about: 'the update with the opposite sign', tell: changed(-1) },
  scaled: { of: 'updates', about: `the update ×${SCALE}`, tell: changed(SCALE) },
  constant: {
    of: 'updates',
    about: `all liars the same direction, ${SCALE} × the median norm long`,
    tell: constant,
  },
  colluding: {
    of: 'updates',
    about: `all liars the honest mean − ${LITTLE} standard deviations, coordinate by coordinate (Baruch et al. 2019, arXiv 1902.06156)`,
    tell: colluding,
  },
  forged: {
    of: 'updates',
    about: 'inverted, and claims 100 % accuracy and a loss of a million',
    tell: claiming(CLAIMS),
  },
  'forged rows': {
    of: 'updates',
    about: 'the same, and claims 2⁵³ − 1 training rows',
    tell: claiming({ ...CLAIMS, rows: Number.MAX_SAFE_INTEGER }),
  },
  replayed: { of: 'readings', about: 'the readings of another device', tell: null },
  mirrored: { of: 'readings', about: 'every change of the reading with the opposite sign', tell: mirrored },
  zigzag: { of: 'readings', about: '2 tolerances up in one window, 2 down in the next', tell: zigzag },
  wild: { of: 'readings', about: '50 tolerances up or down in every window, by chance', tell: wild },
  creeping: {
    of: 'readings',
    about: 'all liars 1.5 tolerances further up with every window, back once a day',
    tell: creeping,
  },
  'sums inverted': { of: 'reports', about: 'right-hand sides × −1', tell: { sums: scaleSums(-1, 1) } },
  'sums scaled': {
    of: 'reports',
    about: `right-hand sides × −${SCALE}`,
    tell: { sums: scaleSums(-SCALE, 1) },
  },
  'sums flooded': {
    of: 'reports',
    about: 'all sums and rows × a million, right-hand sides × −1 on top',
    tell: { sums: scaleSums(-FLOOD, FLOOD) },
  },
  'counts reversed': {
    of: 'reports',
    about: 'right counted as wrong and the other way round, on all panels',
    tell: { tally: forgeTally(1), scores: forgeCounts(1) },
  },
  'counts flooded': {
    of: 'reports',
    about: 'the same, × a million',
    tell: { tally: forgeTally(FLOOD), scores: forgeCounts(FLOOD) },
  },
} as const satisfies Readonly<Record<string, Lie>>;

export type LieName = keyof typeof LIES;
export const LIE_NAMES = Object.keys(LIES).filter((name): name is LieName => name in LIES);

function changed(factor: number): UpdateLie {
  return (updates, isLiar) =>
    updates.map((update) =>
      isLiar(update.deviceId) ? { ...update, delta: times(update.delta, factor) } : update,
    );
}

function claiming(claims: Partial<LocalUpdate>): UpdateLie {
  return (...told) => {
    const [, isLiar] = told;
    return changed(-1)(...told).map((update) =>
      isLiar(update.deviceId) ? { ...update, ...claims } : update,
    );
  };
}

function constant(...[updates, isLiar, direction]: Parameters<UpdateLie>): readonly LocalUpdate[] {
  const honest = updates.filter(({ deviceId }) => !isLiar(deviceId));
  const [any] = updates;
  if (any === undefined || honest.length === 0) return updates;
  const random = any.delta.map(() => direction.normal());
  const delta = times(random, (SCALE * median(honest.map((update) => norm(update.delta)))) / norm(random));
  return updates.map((update) => (isLiar(update.deviceId) ? { ...update, delta } : update));
}

/** The liars know the honest updates of the round: the worst case. */
function colluding(...[updates, isLiar]: Parameters<UpdateLie>): readonly LocalUpdate[] {
  const honest = updates.filter(({ deviceId }) => !isLiar(deviceId)).map(({ delta }) => delta);
  const [any] = honest;
  if (any === undefined) return updates;
  const delta = any.map((_, at) => {
    const values = honest.map((own: FlatWeights) => own[at] ?? NaN);
    const centre = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    return centre - LITTLE * Math.sqrt(squares / values.length);
  });
  return updates.map((update) => (isLiar(update.deviceId) ? { ...update, delta } : update));
}
