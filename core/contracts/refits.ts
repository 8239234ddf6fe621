import { type VersionId } from './ids';
import { type FederatedRoundResult, type LoopParts } from './rounds';
import { type DeployResult } from './steps';

/** A refit between rounds, begun: the proposal that stands for the champion, and the parts of the loop that make it anew. */
export interface RefitBegun {
  readonly proposal: string;
  readonly parts: LoopParts;
}

/** A refit between rounds as panel B found it. */
export type RefitDeployment =
  | { readonly outcome: 'deployed'; readonly deployed: DeployResult }
  | { readonly outcome: 'refused'; readonly reason: string };

/** Result of a refit that never was a candidate. */
export interface RefitRefused {
  readonly reason: string;
  readonly decision: 'kept';
  readonly round: number;
  readonly version: null;
  readonly champion: VersionId;
}
export type RefitResult = RefitRefused | FederatedRoundResult;
