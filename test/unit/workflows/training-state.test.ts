import { federatedTrainingInputSchema, type FederatedRoundResult } from '../../../core/contracts/rounds';
import { reasonToStop, startOfTraining, withRound } from '../../../workflows/training-state';

const round = (decision: 'promoted' | 'rejected', change: number): FederatedRoundResult =>
  ({
    decision,
    version: 'v2',
    champion: 'v1',
    candidate: { accuracy: 0.84 },
    previousChampion: { accuracy: 0.8 },
    pairedChange: { mean: change, low: change, high: change },
  }) as FederatedRoundResult;

const input = (fields: object): ReturnType<typeof federatedTrainingInputSchema.parse> =>
  federatedTrainingInputSchema.parse({ rounds: 10, ...fields });

describe('a training run', () => {
  it('ends after all of its rounds when no other rule is given', () => {
    let state = startOfTraining;
    for (let played = 0; played < 10; played += 1) {
      expect(reasonToStop(state, input({}))).toBeNull();
      state = withRound(state, round('promoted', 0));
    }
    expect(reasonToStop(state, input({}))).toBe('all rounds');
  });

  it('measures the target by whoever is champion after the round', () => {
    const promoted = withRound(startOfTraining, round('promoted', 0.04));
    const rejected = withRound(startOfTraining, round('rejected', -0.04));
    expect(reasonToStop(promoted, input({ targetAccuracy: 0.82 }))).toBe('target accuracy');
    expect(reasonToStop(rejected, input({ targetAccuracy: 0.82 }))).toBeNull();
    expect(rejected.last).toEqual({ champion: 'v1', accuracy: 0.8 });
  });

  it('sees a plateau when the latest rounds together gained too little, and not before there are enough', () => {
    const rule = input({ plateau: { rounds: 2, gain: 0.01 } });
    const one = withRound(startOfTraining, round('promoted', 0.05));
    const two = withRound(one, round('promoted', 0.004));
    const three = withRound(two, round('promoted', 0.004));
    expect([one, two, three].map((state) => reasonToStop(state, rule))).toEqual([null, null, 'plateau']);
  });

  it('counts nothing for a rejected candidate, however bad it was', () => {
    const state = withRound(withRound(startOfTraining, round('rejected', -0.5)), round('promoted', 0.02));
    expect(reasonToStop(state, input({ plateau: { rounds: 2, gain: 0.01 } }))).toBeNull();
  });
});
