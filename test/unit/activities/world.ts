import { MockActivityEnvironment } from '@temporalio/testing';
import { type Brokers } from '../../../activities/shared/long-step';
import { deployModels } from '../../../activities/shared/registry';
import { untrainedLineage } from '../../../core/contracts/deployments';
import { siteNameSchema, versionIdSchema } from '../../../core/contracts/ids';
import { federatedRoundInputSchema, partsFor } from '../../../core/contracts/rounds';
import { type SitePlan } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { type SiteDependencies } from '../../../activities/shared/site';
import { type SiteStore } from '../../../activities/shared/site-store';
import { openUpdateInbox, type UpdateInbox } from '../../../activities/shared/update-inbox';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { followDeployments, type Deployments } from '../../../core/model/deployments';
import { type StageChange } from '../../../core/model/deployment-messages';
import { initialWeights } from '../../../core/model/network';
import { type Producer } from '../../../core/platform/kafka';
import { silentLogger } from '../../../core/platform/log';
import { MemoryKafka } from '../fleet/memory-kafka';
import { FEATURES, SHAPE } from '../../support/task';
import { DEFAULT_TASK } from '../../../core/contracts/task';

/** What the steps of a round need, without servers: real logs, a real site with made-up readings, real training. */
export interface ActivityWorld {
  readonly kafka: MemoryKafka;
  readonly brokers: Brokers;
  readonly producer: Producer;
  readonly deployments: Deployments;
  readonly inbox: UpdateInbox;
  readonly site: SiteDependencies;
  plan(about?: Partial<SitePlan>): SitePlan;
}

export const MAIN = siteNameSchema.parse('main');
export const V0 = versionIdSchema.parse('v0');
export const DEVICES = 40;
const WINDOW_MICROS = DEFAULT_TASK.windowMicros;
const WINDOWS = 120;

/** A site has 40 devices with 120 windows each; v0 serves, or no version does. */
export async function activityWorld(serving: typeof V0 | null = V0): Promise<ActivityWorld> {
  const kafka = new MemoryKafka(
    Object.fromEntries(
      [TOPICS.deployments, TOPICS.updates, TOPICS.feedback].map(({ name }) => [name, 1] as const),
    ),
  );
  const producer = await kafka.producer();
  const deployments = await followDeployments(kafka, silentLogger());
  if (serving !== null) {
    const first = { version: V0, stage: 'champion', round: 0, reason: 'first' } as const;
    await deployAs({ producer, deployments }, first);
  }
  const inbox = await openUpdateInbox(kafka, silentLogger());
  const store = siteStore();
  const brokers: Brokers = { trouble: () => undefined };
  return {
    kafka,
    brokers,
    producer,
    deployments,
    inbox,
    site: {
      site: MAIN,
      threads: 1,
      brokers,
      producer,
      inbox,
      deployments,
      store,
      feedback: {
        latest: () => Promise.resolve(null),
        roundVerdicts: () => Promise.resolve([]),
        measuredRounds: () => Promise.resolve([]),
        close: () => Promise.resolve(),
      },
    },
    plan: (about = {}) => ({
      round: 1,
      attempt: 'this-try',
      quota: { site: MAIN, participants: 20, panelDevices: 4 },
      fleet: null,
      trainUntil: (WINDOWS - 1) * WINDOW_MICROS,
      seed: 1,
      champion: V0,
      strategy: 'closed-loop',
      strategySettings: {},
      parts: partsFor('closed-loop', {}),
      training: { ...federatedRoundInputSchema.parse({}).training, windows: 60, epochs: 1 },
      privacy: null,
      minUpdates: 2,
      ...about,
    }),
  };
}

/** Deploy a version as its stage says, with untrained weights. */
export async function deployAs(
  { producer, deployments }: Pick<ActivityWorld, 'producer' | 'deployments'>,
  change: StageChange,
): Promise<void> {
  const metadata = {
    version: change.version,
    shape: SHAPE,
    scaling: { mean: Array<number>(FEATURES).fill(0), scale: Array<number>(FEATURES).fill(1) },
    tolerance: 1,
    residualStddev: null,
  };
  const model = { metadata, weights: initialWeights(SHAPE, 1) };
  await deployModels(producer, deployments, [{ model, lineage: untrainedLineage(1) }], [change]);
}

function siteStore(): SiteStore {
  const ring = new WindowRing(DEFAULT_TASK);
  const ids = Array.from({ length: DEVICES }, (_, device) => `device-${device}`);
  for (const [device, id] of ids.entries())
    for (let window = 0; window < WINDOWS; window += 1)
      ring.put(
        id,
        window * WINDOW_MICROS,
        20 + Math.sin(window / 4 + device) + Math.cos(7 * window * device),
        [50, 1_000],
      );
  return {
    ring,
    clustersAreShared: false,
    devices: () => ids.map((deviceId) => ({ deviceId, cluster: deviceId })),
    sync: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

/** An activity's surroundings, and what it says in heartbeats. */
export function activityEnvironment(info: ConstructorParameters<typeof MockActivityEnvironment>[0] = {}): {
  readonly environment: MockActivityEnvironment;
  readonly heartbeats: unknown[];
} {
  const environment = new MockActivityEnvironment(info);
  const heartbeats: unknown[] = [];
  environment.on('heartbeat', (details) => heartbeats.push(details));
  return { environment, heartbeats };
}

/** Keys of what was sent to `model-updates`, in order. */
export function sentKeys({ kafka }: ActivityWorld): (string | undefined)[] {
  return (kafka.records(TOPICS.updates.name)[0] ?? []).map(({ key }) => key?.toString('utf8'));
}
