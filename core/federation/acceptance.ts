import { type PanelTally } from './panel-tally';

/** A refit is kept when its mean soft score on panel B is above the proposal's; nothing measured, nothing kept. */
export function acceptsRefit(proposal: PanelTally, refitted: PanelTally): boolean {
  return (
    proposal.rows > 0 &&
    refitted.rows > 0 &&
    refitted.softCorrect / refitted.rows > proposal.softCorrect / proposal.rows
  );
}
