import { LINEAR_WINDOWS } from '../federation/constants';
import { type LinearModel, linearSums, nextLinear, noLinearModel } from '../federation/panels/linear';
import { combineSites } from '../federation/panels/refit-sites';
import { linearKind } from '../federation/panels/report-checks';
import { planRound } from '../federation/panels/selection';
import { type RoundRules } from './candidates';
import { type RoundChanges } from './changes';
import { type RoundGraphs } from './graphs';
import { bySite } from './panels';
import { type RoundWorld } from './world';

/** The fleet's linear model after a round's sums, with the code that the workers run; null while there is none. */
export function linearModel(
  world: RoundWorld,
  { seed, participants }: Pick<RoundRules, 'seed' | 'participants'>,
  { shape }: Pick<RoundGraphs, 'shape'>,
  {
    round,
    until,
    before,
  }: { readonly round: number; readonly until: number; readonly before: LinearModel | null },
  { panel: seen, sums: told }: Pick<RoundChanges, 'panel' | 'sums'>,
): LinearModel | null {
  const { refit } = planRound({ seed, round, devices: world.devices, participants });
  const known = before ?? noLinearModel(shape);
  const sites = [...bySite(world, refit)].map(([site, own]) => ({
    sums: told(site, linearSums(known, seen(world.samples(until, LINEAR_WINDOWS, own)), LINEAR_WINDOWS)),
    devices: own.length,
    windows: LINEAR_WINDOWS,
  }));
  const { sums } = combineSites(sites, linearKind(shape));
  return (sums === null ? null : nextLinear(known, sums)?.model) ?? before;
}
