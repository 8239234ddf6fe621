import { ROUND_STEPS, type RoundStep } from '../../../core/contracts/steps';
import { describeStep, fractionOf } from '../../../cli/temporal/rounds-progress';

const at = (step: RoundStep, done: number, of: number) => ({ step, counted: { done, of } });

describe('how far a round is', () => {
  it('never goes back from step to step', () => {
    const fractions = ROUND_STEPS.map((step) => fractionOf({ step, counted: null }));
    expect(fractions).toEqual([...fractions].sort((one, other) => one - other));
    expect(fractions.at(-1)).toBe(1);
  });

  it('grows within a step that counts, from its own beginning to that of the next', () => {
    const seen = [0, 2, 4, 6].map((windows) => fractionOf(at('evaluate', windows, 6)));
    expect(seen[0]).toBe(fractionOf({ step: 'evaluate', counted: null }));
    expect(seen[1]).toBeGreaterThan(seen[0]!);
    expect(seen[2]).toBeGreaterThan(seen[1]!);
    expect(seen[3]).toBeCloseTo(fractionOf({ step: 'approve', counted: null }));
  });

  it('does not leave its step when more came than were asked for', () => {
    expect(fractionOf(at('train locals', 900, 300))).toBeCloseTo(
      fractionOf({ step: 'score locals', counted: null }),
    );
  });

  it('is described in words, with counts', () => {
    const round = { round: 7, candidate: null, devicesTrained: null, waitsFor: null, paused: null };
    expect(describeStep({ ...round, ...at('train locals', 820, 1_668) })).toBe('train locals, 820 of 1,668');
    const waitsFor = '13 of 32 windows, first round about 21:12 UTC';
    expect(describeStep({ ...round, step: 'select', counted: null, waitsFor })).toBe(waitsFor);
  });
});
