import { adaptiveSettings, AdaptiveStrategy } from './adaptive';

/** FedAdam: v ← β₂v + (1 − β₂)Δ². η, β₁, β₂, τ are the paper's usual choices; v starts at τ², its least value there. */
export class FedAdam extends AdaptiveStrategy {
  readonly name = 'fedadam';
  readonly summary = 'Adam on the server: steps by coordinate, with momentum';
  readonly formula = 'm ← β₁m + (1−β₁)Δ; v ← β₂v + (1−β₂)Δ²; w + η m/(√v + τ)';
  override readonly settings = adaptiveSettings({ eta: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3, v0: 1e-6 });

  protected secondMoment(before: number, square: number, beta2: number): number {
    return beta2 * before + (1 - beta2) * square;
  }
}
