import { type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { updateKey, type CandidateHeader } from '../../core/contracts/updates';
import { type FlatWeights } from '../../core/model/types';
import { encodeFrame } from '../../core/platform/frames';
import { type Producer } from '../../core/platform/kafka';

/** Proposals of a round by name: what a strategy made, and what the panels may make of it. */
export const PROPOSALS = {
  steady: 'steady',
  responsive: 'responsive',
  /** The responsive one with its output layer refitted from panel A's sums. */
  refitted: 'responsive-refitted',
  /** The one proposal of a strategy that makes but one. */
  sole: 'sole',
} as const;

/** Publish a proposal's weights under its name, so that later steps can refer to it. */
export async function publishProposal(
  producer: Producer,
  { round, attempt }: RoundRef,
  name: string,
  weights: FlatWeights,
): Promise<void> {
  const header: CandidateHeader = { type: 'candidate', round, attempt, name, parameters: weights.length };
  await producer.send(TOPICS.updates.name, [
    { key: updateKey('candidate', round, name), value: encodeFrame(header, weights) },
  ]);
}
