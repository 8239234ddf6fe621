import { FedloopError } from '../../core/contracts/errors';
import { type SiteName } from '../../core/contracts/ids';
import { type RoundPlan, type SitePlan, type SiteQuota } from '../../core/contracts/steps';
import { historyWindows } from '../../core/contracts/task';
import { LONG_WINDOWS, RECENT_WINDOWS } from '../../core/federation/constants';
import { ControlVariates } from '../../core/federation/training/control-variates';
import { collectSamples, type Samples, type SampleUnits } from '../../core/federation/training/samples';
import {
  clustersOfFleet,
  planRound,
  type Panel,
  type RoundPlan as Roles,
  type SelectableDevice,
} from '../../core/federation/panels/selection';
import { isSilent } from '../../core/federation/training/quorum';
import { ModelsOnSamples } from '../../core/model/batch-predictor';
import { type DeployedVersion, type Deployments } from '../../core/model/deployments';
import { networkShape, type GlobalModel } from '../../core/model/types';
import { type Producer } from '../../core/platform/kafka';
import { type FeedbackLog } from './feedback-log';
import { type Brokers } from './long-step';
import { deployedVersion, trainedBase } from './registry';
import { type SiteStore } from './site-store';
import { type UpdateInbox } from './update-inbox';

export interface SiteDependencies {
  readonly site: SiteName;
  /** Threads of one onnxruntime run. */
  readonly threads: number;
  readonly brokers: Brokers;
  readonly producer: Producer;
  readonly inbox: UpdateInbox;
  readonly feedback: FeedbackLog;
  readonly deployments: Deployments;
  readonly store: SiteStore;
}

/** Who does what at a site in a round. */
export interface SiteRoles extends Roles {
  /** Devices that have fallen silent and have windows in the round's time all the same: left out, and named. */
  readonly silent: readonly string[];
}

const NO_ROLES: Roles = { participants: [], panels: { A: [], B: [], C: [] }, refit: [] };

/** What the steps of one site share: its plan of the running round, and a predictor that is made once. */
export class Site {
  private planned: { readonly of: string; readonly roles: SiteRoles } | undefined;
  private predictor: Promise<ModelsOnSamples> | undefined;

  /** What SCAFFOLD remembers of each device. */
  readonly controls = new ControlVariates();

  constructor(readonly dependencies: SiteDependencies) {}

  /** Which devices of this site train and which judge; the same at every step of a round, also when new devices arrive. */
  async planOf(round: SitePlan): Promise<SiteRoles> {
    // A reset may have repeated the selection within the same attempt.
    const of = JSON.stringify([round.attempt, round.takes?.describe, round.trainUntil]);
    if (this.planned?.of !== of) this.planned = { of, roles: await this.assignRoles(round) };
    return this.planned.roles;
  }

  private async assignRoles(round: SitePlan): Promise<SiteRoles> {
    const { site, store } = this.dependencies;
    if (round.quota === null)
      throw new FedloopError('InvalidInput', `sites: round ${round.round} has no share for ${site}`);
    const { ring } = store;
    const isOut = ({ deviceId }: SelectableDevice): boolean => isSilent(ring, deviceId, round.trainUntil);
    const windows = round.training.windows + historyWindows(ring.task);
    const silent = store
      .devices()
      .filter(
        (device) => isOut(device) && ring.windowsPresent(device.deviceId, round.trainUntil, windows) > 0,
      )
      .map(({ deviceId }) => deviceId);
    const sending = store.devices().filter((device) => !isOut(device));
    return { ...(await this.shareRoles(round, round.quota, sending)), silent };
  }

  private async shareRoles(
    round: SitePlan,
    quota: SiteQuota,
    devices: readonly SelectableDevice[],
  ): Promise<Roles> {
    if (quota.participants === 0 && quota.panelDevices === 0) return NO_ROLES;
    const { inbox } = this.dependencies;
    const clusters = round.fleet === null ? null : clustersOfFleet(await inbox.descriptions(round));
    return planRound({
      seed: round.seed,
      round: round.round,
      devices,
      participants: quota.participants,
      panelDevices: quota.panelDevices,
      ...(round.fleet === null || clusters === null
        ? {}
        : { fleet: { clusters, participants: round.fleet.participants } }),
    });
  }

  champion(round: RoundPlan): DeployedVersion {
    return deployedVersion(this.dependencies.deployments, round.champion);
  }

  /** The network that the round trains from. */
  base(round: RoundPlan): DeployedVersion {
    return trainedBase(this.dependencies.deployments, round.champion);
  }

  /** A panel's samples over the last 24 closed windows, or the last 6. */
  async panelSamples(round: SitePlan, panel: Panel, which: 'recent' | 'long'): Promise<Samples> {
    const windows = which === 'long' ? LONG_WINDOWS : RECENT_WINDOWS;
    return this.lastOf(round, (await this.planOf(round)).panels[panel], windows);
  }

  /** The last closed windows of the devices that refit output layers. */
  async refitSamples(round: SitePlan, windows: number): Promise<Samples> {
    return this.lastOf(round, (await this.planOf(round)).refit, windows);
  }

  private lastOf(round: RoundPlan, devices: readonly string[], windows: number): Samples {
    return collectSamples(
      this.dependencies.store.ring,
      devices,
      { until: round.trainUntil, windows },
      unitsOf(this.champion(round).model),
    );
  }

  modelsOnSamples(): Promise<ModelsOnSamples> {
    const { store, threads } = this.dependencies;
    this.predictor ??= ModelsOnSamples.create({ shape: networkShape(store.ring.task), threads });
    return this.predictor;
  }
}

export function unitsOf({ metadata }: GlobalModel): SampleUnits {
  return { scaling: metadata.scaling, tolerance: metadata.tolerance };
}
