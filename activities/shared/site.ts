import { FedloopError } from '../../core/contracts/errors';
import { type SiteName } from '../../core/contracts/ids';
import { type RoundPlan } from '../../core/contracts/steps';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { collectSamples, recentSamples, type Samples, type SampleUnits } from '../../core/federation/samples';
import { planRound, type Panel, type RoundPlan as SitePlan } from '../../core/federation/selection';
import { ModelsOnSamples } from '../../core/model/batch-predictor';
import { type DeployedVersion, type Deployments } from '../../core/model/deployments';
import { PRODUCT_SHAPE, type GlobalModel } from '../../core/model/types';
import { type Producer } from '../../core/platform/kafka';
import { type FeedbackLog } from './feedback-log';
import { type SiteStore } from './site-store';
import { type UpdateInbox } from './update-inbox';

export interface SiteDependencies {
  readonly site: SiteName;
  /** Threads of one onnxruntime run. */
  readonly threads: number;
  readonly producer: Producer;
  readonly inbox: UpdateInbox;
  readonly feedback: FeedbackLog;
  readonly deployments: Deployments;
  readonly store: SiteStore;
}

/** What the steps of one site have in common: its plan of the round that runs, and a predictor that is made once. */
export class Site {
  private planned: { readonly attempt: string; readonly plan: SitePlan } | undefined;
  private predictor: Promise<ModelsOnSamples> | undefined;

  constructor(readonly dependencies: SiteDependencies) {}

  /** Who of this site trains and who judges; the same at every step of a round, also when devices come in the meantime. */
  planOf(round: RoundPlan): SitePlan {
    if (this.planned?.attempt === round.attempt) return this.planned.plan;
    const { site, store } = this.dependencies;
    const quota = round.quotas.find((known) => known.site === site);
    if (quota === undefined)
      throw new FedloopError('InvalidInput', `sites: round ${round.round} has no share for ${site}`);
    const plan = planRound({
      seed: round.seed,
      round: round.round,
      devices: store.devices(),
      participants: quota.participants,
      panelDevices: quota.panelDevices,
      ...(round.fleet === null
        ? {}
        : {
            fleet: {
              groups: new Map(Object.entries(round.fleet.groups)),
              participants: round.fleet.participants,
            },
          }),
    });
    this.planned = { attempt: round.attempt, plan };
    return plan;
  }

  champion(round: RoundPlan): DeployedVersion {
    const champion = this.dependencies.deployments.find(round.champion);
    if (champion === undefined)
      throw new FedloopError('NotFound', `the champion ${round.champion} is not in model-deployments`);
    return champion;
  }

  /** A panel's samples over the last 24 closed windows, or the last 6. */
  panelSamples(round: RoundPlan, panel: Panel, which: 'recent' | 'long'): Samples {
    const samples = this.dayOf(round, this.planOf(round).panels[panel]);
    return which === 'long' ? samples : recentSamples(samples, RECENT_WINDOWS);
  }

  /** The last 24 closed windows of the devices that refit output layers. */
  refitSamples(round: RoundPlan): Samples {
    return this.dayOf(round, this.planOf(round).refit);
  }

  private dayOf(round: RoundPlan, devices: readonly string[]): Samples {
    return collectSamples(
      this.dependencies.store.ring,
      devices,
      { until: round.trainUntil, windows: LONG_WINDOWS },
      unitsOf(this.champion(round).model),
    );
  }

  modelsOnSamples(): Promise<ModelsOnSamples> {
    this.predictor ??= ModelsOnSamples.create({ shape: PRODUCT_SHAPE, threads: this.dependencies.threads });
    return this.predictor;
  }
}

export function unitsOf({ metadata }: GlobalModel): SampleUnits {
  return { scaling: metadata.scaling, toleranceCelsius: metadata.toleranceCelsius };
}
