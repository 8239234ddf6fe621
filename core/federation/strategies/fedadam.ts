import { adaptive } from './adaptive';
import { defineStrategy } from './strategy';

/** FedAdam: v ← β₂v + (1 − β₂)Δ². η, β₁, β₂, τ are the paper's usual choices; v starts at τ², its smallest value there. */
export const fedAdam = defineStrategy(
  'fedadam',
  adaptive(
    'm ← β₁m + (1−β₁)Δ; v ← β₂v + (1−β₂)Δ²; w + η m/(√v + τ)',
    { eta: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3, v0: 1e-6 },
    (before, square, beta2) => beta2 * before + (1 - beta2) * square,
  ),
);
