import { z } from 'zod';
import { ADAM_DEFAULTS, adaptive, adaptiveSettings } from './adaptive';
import { defineStrategy } from './strategy';

const plain = adaptive(
  'm ← β₁m + (1−β₁)Δ; v ← β₂v + (1−β₂)Δ²; w + η m/(√v + τ)',
  ADAM_DEFAULTS,
  (before, square, beta2) => beta2 * before + (1 - beta2) * square,
);

/**
 * FedAdam: v ← β₂v + (1 − β₂)Δ². With `biasCorrection` the first
 * steps are not as short as m and v, which begin near 0, would make them: η √(1 − β₂ᵗ)/(1 − β₁ᵗ), as in Flower, where t is 2 in the first round.
 */
export const fedAdam = defineStrategy('fedadam', {
  ...plain,
  settings: adaptiveSettings(ADAM_DEFAULTS).extend({
    biasCorrection: z
      .union([z.literal(0), z.literal(1)])
      .default(0)
      .describe('1: the first steps are lengthened, as Adam has it'),
  }),
  aggregate(updates, context, { biasCorrection, ...settings }) {
    const { beta1, beta2 } = settings;
    const time = context.state.steps + 2;
    const longer = biasCorrection === 1 ? Math.sqrt(1 - beta2 ** time) / (1 - beta1 ** time) : 1;
    return plain.aggregate(updates, context, { ...settings, eta: settings.eta * longer });
  },
});
