import { feedbackSchema, type Feedback } from '../../../core/contracts/feedback';
import { effectsOfFeedback } from '../../../core/federation/training/feedback-rules';

const none = { n: 0, n_correct: 0, accuracy: null };
const feedback = (about: Record<string, unknown> = {}): Feedback =>
  feedbackSchema.parse({
    type: 'feedback',
    scope: 'round',
    round: 3,
    model_version: 'v3',
    window_start: 0,
    window_end: 30,
    n: 100,
    n_correct: 80,
    accuracy: 0.8,
    skill: 0.3,
    mae: 0.6,
    rmse: 0.9,
    bias: -0.1,
    calibration: 0.02,
    persistence_accuracy: 0.7,
    tolerance: 1,
    by_regime: {
      normal: none,
      anomalous: none,
      rising: { n: 50, n_correct: 30, accuracy: 0.6 },
      falling: { n: 50, n_correct: 50, accuracy: 1 },
      steady: none,
    },
    anomalies: {
      true_positive: 1,
      false_positive: 9,
      false_negative: 0,
      true_negative: 90,
      tendency: 'overpredicts anomalies, underpredicts normal',
    },
    worst_devices: [],
    ...about,
  });

describe('what feedback changes', () => {
  it('is the width of the edge band: the champion’s typical error in tolerances', () => {
    expect(effectsOfFeedback(feedback(), { boundaryWeighting: true }).boundaryWidth).toBeCloseTo(0.6);
    expect(
      effectsOfFeedback(feedback({ mae: 1, tolerance: 2 }), { boundaryWeighting: true }).boundaryWidth,
    ).toBeCloseTo(0.5);
    expect(effectsOfFeedback(feedback({ mae: 0.1 }), { boundaryWeighting: true }).boundaryWidth).toBe(0.3);
  });

  it('is not turned off by one wild device, whose errors make the mean as large as they like', () => {
    const wild = effectsOfFeedback(feedback({ mae: 1e145 }), { boundaryWeighting: true });
    expect(wild.boundaryWidth).toBeCloseTo(0.62, 1);
    expect(wild.used).toMatchObject({ champion_error_in_tolerances: 1e145 });
  });

  it('is nothing in the first round, when the part is off, or when the champion is far off everywhere', () => {
    expect(effectsOfFeedback(null, { boundaryWeighting: true }).boundaryWidth).toBeNull();
    expect(effectsOfFeedback(feedback(), { boundaryWeighting: false }).boundaryWidth).toBeNull();
    const farOff = feedback({ mae: 4, n_correct: 15, accuracy: 0.15 });
    expect(effectsOfFeedback(farOff, { boundaryWeighting: true }).boundaryWidth).toBeNull();
  });

  it('is recorded in words and numbers', () => {
    expect(effectsOfFeedback(feedback(), { boundaryWeighting: true }).used).toMatchObject({
      champion: 'v3',
      champion_accuracy: 0.8,
      tendency: 'overpredicts anomalies, underpredicts normal',
      weakest_regime: 'rising (60.0 %)',
      emphasis: 'samples near the boundary between right and wrong',
      edge_width: 0.6,
    });
  });
});
