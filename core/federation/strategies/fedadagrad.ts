import { adaptive } from './adaptive';
import { defineStrategy } from './strategy';

/** FedAdagrad: v ← v + Δ², β₁ = 0 as in the paper. v starts at τ², which bounds the first steps. */
export const fedAdagrad = defineStrategy(
  'fedadagrad',
  adaptive(
    'v ← v + Δ²; w + η Δ/(√v + τ)',
    { eta: 0.1, beta1: 0, beta2: 0, tau: 0.03, v0: 9e-4 },
    (before, square) => before + square,
  ),
);
