import { MIN_REFIT_GAIN } from '../federation/constants';
import { acceptsRefit } from '../federation/panels/panel-gate';
import { refitOutputLayer } from '../federation/panels/refit';
import { combineSites } from '../federation/panels/refit-sites';
import { refitKind } from '../federation/panels/report-checks';
import { planRound } from '../federation/panels/selection';
import { type FlatWeights, type NetworkShape } from '../model/types';
import { type RoundChanges } from './changes';
import { type RoundGraphs } from './graphs';
import { judgeOf, panelsOf, sumsOf, type PanelSamples } from './panels';
import { type RoundWorld } from './world';

/** A proposal with its output layer refitted from all sites' sums over the newest windows; null where nothing repeats. */
export function refittedTo(
  windows: number,
  shape: NetworkShape,
  proposal: FlatWeights,
  panels: PanelSamples,
  changes: RoundChanges,
): FlatWeights | null {
  const { sums } = combineSites(sumsOf(shape, proposal, panels, windows, changes), refitKind(shape));
  return sums === null ? null : (refitOutputLayer(shape, proposal, sums)?.weights ?? null);
}

/**
 * A refit between rounds up to what panel B says, with the code that the workers run.
 * @param anew what a linear champion becomes, or to how many of the newest windows a network's output layer is refitted
 * @returns null where nothing repeats, or panel B does not find it better
 */
export async function refitBetween(
  world: RoundWorld,
  { seed, participants }: { readonly seed: number; readonly participants: number | 'all' },
  graphs: RoundGraphs,
  {
    round,
    until,
    champion,
  }: { readonly round: number; readonly until: number; readonly champion: FlatWeights },
  changes: RoundChanges,
  anew: FlatWeights | number,
): Promise<FlatWeights | null> {
  const plan = planRound({ seed, round, devices: world.devices, participants });
  const panels = panelsOf(world, plan, until, changes);
  const made = typeof anew === 'number' ? refittedTo(anew, graphs.shape, champion, panels, changes) : anew;
  if (made === null) return null;
  const judge = judgeOf(graphs, champion, panels, changes);
  const [before, after] = [await judge(champion), await judge(made)];
  return acceptsRefit(before.b, after.b, MIN_REFIT_GAIN) ? made : null;
}
