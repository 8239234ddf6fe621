import { adaptiveSettings, AdaptiveStrategy } from './adaptive';

/** FedYogi: v ← v − (1 − β₂)Δ² sign(v − Δ²): forgets large gradients more slowly than Adam. v starts at τ². */
export class FedYogi extends AdaptiveStrategy {
  readonly name = 'fedyogi';
  readonly summary = 'Yogi on the server: Adam whose v changes by steps of bounded size';
  readonly formula = 'm ← β₁m + (1−β₁)Δ; v ← v − (1−β₂)Δ² sign(v − Δ²); w + η m/(√v + τ)';
  override readonly settings = adaptiveSettings({ eta: 0.01, beta1: 0.9, beta2: 0.99, tau: 1e-3, v0: 1e-6 });

  protected secondMoment(before: number, square: number, beta2: number): number {
    return before - (1 - beta2) * square * Math.sign(before - square);
  }
}
