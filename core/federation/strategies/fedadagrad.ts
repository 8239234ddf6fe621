import { adaptive } from './adaptive';
import { defineStrategy } from './strategy';

/** FedAdagrad: v ← v + Δ², β₁ = 0 as in the paper. v starts at 0; `v0` changes that. */
export const fedAdagrad = defineStrategy(
  'fedadagrad',
  adaptive(
    'v ← v + Δ²; w + η Δ/(√v + τ)',
    { eta: 0.1, beta1: 0, beta2: 0, tau: 1e-3, v0: 0 },
    (before, square) => before + square,
  ),
);
