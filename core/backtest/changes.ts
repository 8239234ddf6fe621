import { type PanelTally } from '../contracts/site-reports';
import { type LocalScores } from '../federation/panels/local-scoring';
import { type RefitSums } from '../federation/panels/additive-sums';
import { type LocalUpdate } from '../federation/strategies/strategy';
import { type Samples } from '../federation/training/samples';

/** What an experiment changes in a round. Sites are numbered from 0; a world without sites has one. */
export interface RoundChanges {
  /** A round's updates as the server receives them. */
  readonly updates: (updates: readonly LocalUpdate[]) => readonly LocalUpdate[];
  /** A panel's samples as they are scored. */
  readonly panel: (samples: Samples) => Samples;
  /** What a site reports: its sums for a refit, its tally of a proposal, and its counts of local models. */
  readonly sums: (site: number, sums: RefitSums) => RefitSums;
  readonly tally: (site: number, tally: PanelTally) => PanelTally;
  readonly scores: (site: number, scores: LocalScores) => LocalScores;
}

export const NO_CHANGES: RoundChanges = {
  updates: (updates) => updates,
  panel: (samples) => samples,
  sums: (_, sums) => sums,
  tally: (_, tally) => tally,
  scores: (_, scores) => scores,
};
