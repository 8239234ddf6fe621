import { isCancellation } from '@temporalio/workflow';
import {
  nothingMeasured,
  type ContributionPlan,
  type ContributionResult,
} from '../core/contracts/contribution';
import { type RoundPlan } from '../core/contracts/steps';
import { causeOf } from './failures';
import { type RoundSteps } from './steps';

/** What a round has measured on, or is to; null where that part is off, or the aggregator is of an earlier release. */
export function toMeasure(planned: ContributionPlan | undefined): ContributionPlan | null {
  return planned?.refused === null ? planned : null;
}

/** What sites and devices brought. Only a measurement: where it fails the result says why, and the round goes on. */
export async function measureContribution(
  { rounds }: Pick<RoundSteps, 'rounds'>,
  plan: RoundPlan,
  trainedTo: number,
  planned: ContributionPlan | undefined,
): Promise<ContributionResult | null> {
  if (planned === undefined) return null;
  if (planned.refused !== null) return nothingMeasured(planned, planned.refused);
  try {
    return await rounds.contribute(plan, trainedTo, planned);
  } catch (thrown) {
    if (isCancellation(thrown)) throw thrown;
    return nothingMeasured(planned, causeOf(thrown).message);
  }
}
