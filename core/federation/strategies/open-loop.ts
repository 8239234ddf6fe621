import { z } from 'zod';
import { normalised, plus, times, weightedSum } from '../vectors';
import { BaseStrategy, settingOf, soleProposal, withoutFeedback } from './base-strategy';
import { type Aggregation, type AggregationContext, type LocalUpdate } from './strategy';

/**
 * The usual server, and the closed loop's opponent: local models weigh by the accuracy aᵢ that they report of themselves,
 * w ← w + m with m ← βm + Σ aᵢ δᵢ / Σ aᵢ. β = 0 (default) has no momentum. Nobody checks what is reported.
 */
export class OpenLoop extends BaseStrategy {
  readonly name = 'open-loop';
  readonly summary = 'weights from self-reported accuracy, unchecked: the opponent of closed-loop';
  readonly formula = 'm ← βm + Σ aᵢ δᵢ / Σ aᵢ; w + m';
  readonly paper = null;
  override readonly settings = z.strictObject({ momentum: z.number().min(0).lt(1).default(0) });
  override readonly keepsState = true;

  aggregate(updates: readonly LocalUpdate[], context: AggregationContext): Aggregation {
    const weights = normalised(updates.map(({ selfReportedAccuracy }) => Math.max(selfReportedAccuracy, 0)));
    const average = weightedSum(
      updates.map(({ delta }) => delta),
      weights,
      context.base.length,
    );
    const before = context.state.vectors['momentum'];
    const momentum = settingOf(context, 'momentum');
    const step = before === undefined || momentum === 0 ? average : plus(times(before, momentum), average);
    const state = {
      ...context.state,
      steps: context.state.steps + 1,
      vectors: momentum === 0 ? {} : { momentum: step },
    };
    return withoutFeedback(soleProposal(step, weights), state);
  }
}
