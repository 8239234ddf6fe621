import { ADAM_DEFAULTS, adaptive } from './adaptive';
import { defineStrategy } from './strategy';

/** FedYogi: v ← v − (1 − β₂)Δ² sign(v − Δ²): forgets large gradients more slowly than Adam. v starts at τ². */
export const fedYogi = defineStrategy(
  'fedyogi',
  adaptive(
    'm ← β₁m + (1−β₁)Δ; v ← v − (1−β₂)Δ² sign(v − Δ²); w + η m/(√v + τ)',
    ADAM_DEFAULTS,
    (before, square, beta2) => before - (1 - beta2) * square * Math.sign(before - square),
  ),
);
