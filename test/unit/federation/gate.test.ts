import { decisionInWords } from '../../../core/contracts/decisions';
import { gateSettingsSchema } from '../../../core/contracts/rounds';
import {
  decidePromotion,
  type GateEvidence,
  type GateVerdict,
} from '../../../core/federation/promotion/gate';
import { scoredClusters } from './clusters';

const settings = gateSettingsSchema.parse({});

/** What the gate says of a candidate with `gain` more right of 100 in a cluster and window. */
function judge(
  windows: number,
  gain: (cluster: number, window: number) => number,
  other: Partial<GateEvidence & { readonly settings: Partial<typeof settings> }> = {},
): GateVerdict {
  return decidePromotion(
    {
      clusters: scoredClusters(windows, gain),
      accuracy: 0.82,
      persistenceAccuracy: 0.6,
      championIsUntrained: false,
      ...other,
    },
    { ...settings, ...other.settings },
  );
}

/** Gains that swing by two points around a mean, from cluster to cluster and from window to window. */
const around =
  (mean: number) =>
  (cluster: number, window: number): number =>
    mean + ((cluster * 7 + window * 3) % 5) - 2;

describe('the gate', () => {
  it('promotes what is shown to be better', () => {
    const verdict = judge(8, around(6));
    expect(decisionInWords(verdict)).toBe('promoted: better');
    expect(verdict.reason).toMatch(
      /^6\.\d\d points better \(.*\) than the champion on the same 8 live windows/,
    );
  });

  it('promotes what is shown to be no worse than the margin, and calls it that', () => {
    expect(decisionInWords(judge(8, (cluster) => (cluster % 2 === 0 ? 2 : -1)))).toBe('promoted: no worse');
  });

  it('keeps the champion where a candidate measured as good as it, or hardly better: a half of all do', () => {
    expect(decisionInWords(judge(8, () => 0))).toBe('kept: not shown');
    const equal = judge(8, (cluster) => (cluster % 2 === 0 ? 1 : -1));
    expect(decisionInWords(equal)).toBe('kept: not shown');
    expect(equal.reason).toContain('within the margin of 1.00 and measured at least 0.30 better');
    const any = { settings: { measuredLoss: 0 } };
    expect(judge(8, () => 0, any).finding).toBe('no worse');
  });

  it('promotes what is shown to be better, however little it measured', () => {
    const little = { settings: { measuredLoss: -0.2 } };
    expect(decisionInWords(judge(8, around(6), little))).toBe('promoted: better');
  });

  it('keeps the champion while nothing is shown, and asks for more windows', () => {
    const verdict = judge(6, (_, window) => (window % 3 === 0 ? 12 : -5));
    expect(decisionInWords(verdict)).toBe('kept: not shown');
    expect(verdict.isSettled).toBe(false);
  });

  it('keeps the champion where accuracy measured worse, however near', () => {
    expect(decisionInWords(judge(8, (cluster) => (cluster === 0 ? -1 : 0)))).toBe('kept: not shown');
    const forgiving = { settings: { measuredLoss: 0.01 } };
    expect(judge(8, (cluster) => (cluster === 0 ? -1 : 0), forgiving).finding).toBe('no worse');
  });

  it('rejects what is shown to be worse, at once', () => {
    const verdict = judge(8, around(-6));
    expect(decisionInWords(verdict)).toBe('rejected: worse');
    expect(verdict.isSettled).toBe(true);
    expect(verdict.reason).toMatch(/6\.\d\d points worse .* 8 live windows/);
  });

  it('never promotes what is under persistence', () => {
    const verdict = judge(8, around(6), { accuracy: 0.59 });
    expect(decisionInWords(verdict)).toBe('kept: under persistence');
    expect(verdict.reason).toContain('59.00 % beside 60.00 %');
  });

  it('asks of the first trained version that it measured better than the untrained one', () => {
    const few = { championIsUntrained: true };
    expect(decisionInWords(judge(3, around(15), few))).toBe('promoted: first trained');
    expect(judge(3, around(-4), few).decision).not.toBe('promoted');
    expect(judge(3, around(15), { ...few, accuracy: 0.5 }).finding).toBe('under persistence');
  });

  it('rejects what was measured on too few windows', () => {
    expect(judge(2, () => 5)).toMatchObject({
      decision: 'rejected',
      finding: 'too few windows',
      reason: 'only 2 of 3 live windows were measured',
    });
  });

  it('shows nothing in three windows, however far apart, and says so', () => {
    const verdict = judge(3, () => 9);
    expect(verdict.finding).toBe('not shown');
    expect(judge(3, () => 9, { settings: { margin: 1 } }).decision).toBe('promoted');
  });
});
