import { adaptiveSettings, AdaptiveStrategy } from './adaptive';

/** FedAdagrad: v ← v + Δ², β₁ = 0 as in the paper. v starts at 0; `v0` changes that. */
export class FedAdagrad extends AdaptiveStrategy {
  readonly name = 'fedadagrad';
  readonly summary = 'Adagrad on the server: steps by coordinate that shrink as changes add up';
  readonly formula = 'v ← v + Δ²; w + η Δ/(√v + τ)';
  override readonly settings = adaptiveSettings({ eta: 0.1, beta1: 0, beta2: 0, tau: 1e-3, v0: 0 });

  protected secondMoment(before: number, square: number): number {
    return before + square;
  }
}
