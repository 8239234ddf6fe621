import { type PanelTally } from '../../contracts/site-reports';
import { PANEL_GATE_ERRORS, PANEL_GATE_MARGIN } from '../constants';

export interface PanelGateVerdict {
  readonly pass: boolean;
  /** Mean difference of accuracy over devices, proposal − champion. */
  readonly difference: number;
}

/**
 * The champion stays when the proposal's paired difference on panel C lies below −2 standard errors − 0.2 points.
 * Off by default: it changed nothing in any scenario, with the live gate behind it (docs/closed-loop.md). Nothing measured: passes.
 */
export function panelGate({ devices, difference: sum, squaredDifference }: PanelTally): PanelGateVerdict {
  if (devices === 0) return { pass: true, difference: 0 };
  const difference = sum / devices;
  const variance = Math.max(0, squaredDifference / devices - difference * difference);
  const standardError = Math.sqrt(variance / devices);
  return { pass: difference >= -PANEL_GATE_ERRORS * standardError - PANEL_GATE_MARGIN, difference };
}

/**
 * A refit is kept when its mean soft score on panel B is above the proposal's; nothing measured, nothing kept.
 * @param by how much (0 to 1) it has to be above
 */
export function acceptsRefit(proposal: PanelTally, refitted: PanelTally, by = 0): boolean {
  return (
    proposal.rows > 0 &&
    refitted.rows > 0 &&
    refitted.softCorrect / refitted.rows > proposal.softCorrect / proposal.rows + by
  );
}
