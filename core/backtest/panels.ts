import { type PanelTally } from '../contracts/site-reports';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../federation/constants';
import { type JudgedProposal } from '../federation/panels/choose-candidates';
import {
  accuracyOf,
  scoreLocalModels,
  scoringPanel,
  type LocalScores,
} from '../federation/panels/local-scoring';
import { sumPanel, tallyProposals } from '../federation/panels/panel-scoring';
import { addTallies } from '../federation/panels/panel-tally';
import { type SiteSums } from '../federation/panels/refit-sites';
import { arePossibleScores, isPossibleTally } from '../federation/panels/report-checks';
import { type RoundPlan } from '../federation/panels/selection';
import { type LocalUpdate, type RealAccuracy } from '../federation/strategies/strategy';
import { type Samples } from '../federation/training/samples';
import { type FlatWeights, type NetworkShape } from '../model/types';
import { type RoundChanges } from './changes';
import { type RoundGraphs } from './graphs';
import { type RoundWorld } from './world';

/** One site's samples. */
interface SiteSamples {
  readonly site: number;
  readonly devices: number;
  readonly samples: Samples;
}

/** What a round's panels and refits see, site by site. */
export interface PanelSamples {
  /** Panel A, a day: local models are scored on it. */
  readonly scoring: readonly SiteSamples[];
  /** Devices off panels B and C, over a day: output layers are refitted on them. */
  readonly refit: readonly SiteSamples[];
  /** Panels' freshest windows. */
  readonly b: readonly SiteSamples[];
  readonly c: readonly SiteSamples[];
}

export function panelsOf(
  world: RoundWorld,
  plan: RoundPlan,
  until: number,
  { panel: seen }: RoundChanges,
): PanelSamples {
  const samplesOf = (ids: readonly string[], windows: number): SiteSamples[] =>
    [...bySite(world, ids)].map(([site, own]) => ({
      site,
      devices: own.length,
      samples: seen(world.samples(until, windows, own)),
    }));
  return {
    scoring: samplesOf(plan.panels.A, LONG_WINDOWS),
    refit: samplesOf(plan.refit, LONG_WINDOWS),
    b: samplesOf(plan.panels.B, RECENT_WINDOWS),
    c: samplesOf(plan.panels.C, RECENT_WINDOWS),
  };
}

/** Devices by the site that reports for them. */
export function bySite(world: RoundWorld, ids: readonly string[]): ReadonlyMap<number, readonly string[]> {
  const sites = new Map<number, string[]>();
  for (const id of ids) {
    const site = world.siteOf?.(id) ?? 0;
    sites.set(site, [...(sites.get(site) ?? []), id]);
  }
  return sites;
}

/** Every site's sums of a proposal over its newest `windows` windows. */
export function sumsOf(
  shape: NetworkShape,
  proposal: FlatWeights,
  { refit }: PanelSamples,
  windows: number,
  changes: RoundChanges,
): SiteSums[] {
  return refit.map(({ site, devices, samples }) => ({
    sums: changes.sums(site, sumPanel(shape, proposal, recentSamples(samples, windows), windows)),
    devices,
    windows,
  }));
}

/** How a proposal does on panels B and C of all sites, beside the champion. */
export function judgeOf(
  { predictor }: RoundGraphs,
  champion: FlatWeights,
  { b, c }: PanelSamples,
  changes: RoundChanges,
): (proposal: FlatWeights) => Promise<JudgedProposal> {
  const tally = async (proposal: FlatWeights, sites: readonly SiteSamples[]): Promise<PanelTally> => {
    const tallies: PanelTally[] = [];
    for (const { site, devices, samples } of sites) {
      const own = await tallyProposals(predictor, champion, [proposal], samples);
      const told = own.map((one) => changes.tally(site, one));
      tallies.push(...told.filter((one) => isPossibleTally(one, devices)));
    }
    return addTallies(tallies);
  };
  return async (proposal) => ({ b: await tally(proposal, b), c: await tally(proposal, c) });
}

/** Real accuracy of local models on panel A of all sites. */
export async function realAccuracy(
  { predictor }: RoundGraphs,
  base: FlatWeights,
  updates: readonly LocalUpdate[],
  { scoring }: PanelSamples,
  changes: RoundChanges,
): Promise<RealAccuracy[]> {
  const deltas = new Float32Array(updates.length * base.length);
  updates.forEach(({ delta }, at) => {
    deltas.set(delta, at * base.length);
  });
  const scores: LocalScores[] = [];
  for (const { site, devices, samples } of scoring) {
    const own = await scoreLocalModels(predictor, base, deltas, scoringPanel(samples));
    const told = changes.scores(site, own);
    if (arePossibleScores(told, devices)) scores.push(told);
  }
  return updates.map((_, place) => accuracyOf(scores, place));
}

/** The samples whose target is one of the newest `windows`. */
function recentSamples(samples: Samples, windows: number): Samples {
  const kept: number[] = [];
  samples.age.forEach((age, at) => {
    if (age < windows) kept.push(at);
  });
  if (kept.length === samples.count) return samples;
  const inputs = samples.x.length / Math.max(1, samples.count);
  const x = new Float32Array(kept.length * inputs);
  kept.forEach((from, to) => {
    x.set(samples.x.subarray(from * inputs, (from + 1) * inputs), to * inputs);
  });
  const pick = <Numbers extends Float32Array | Int32Array>(numbers: Numbers, into: Numbers): Numbers => {
    kept.forEach((from, to) => (into[to] = numbers[from] ?? NaN));
    return into;
  };
  return {
    count: kept.length,
    x,
    y: pick(samples.y, new Float32Array(kept.length)),
    device: pick(samples.device, new Int32Array(kept.length)),
    age: pick(samples.age, new Int32Array(kept.length)),
  };
}
