import { setTimeout as sleep } from 'node:timers/promises';
import { deployFirstVersion } from '../../../activities/first-version';
import { select } from '../../../activities/select';
import { deployModels } from '../../../activities/shared/registry';
import { createSiteActivities } from '../../../activities/site';
import { versionIdSchema } from '../../../core/contracts/ids';
import { activityEnvironment, activityWorld, MAIN, V0, type ActivityWorld } from './world';

/** v0, where no version serves yet: it is made with the first round's selection. */
const ref = { round: 1, attempt: 'this-try' };
const later = { ...ref, sites: [MAIN], participants: 'all' } as const;
const first = { ...later, firstVersionSeed: 3 };

let world: ActivityWorld;

beforeEach(async () => {
  world = await activityWorld(null);
  const site = createSiteActivities(world.site);
  await activityEnvironment().environment.run(() => site.describeSite({ ...ref, withFeatureSums: true }));
});

it('is deployed with the selection, from the seed and what the site knows of its readings', async () => {
  expect(await select(world, first)).toMatchObject({ champion: V0, fleet: null });
  const deployed = world.deployments.champion();
  expect(deployed?.message.lineage.seed).toBe(3);
  expect(deployed?.model.metadata.scaling.mean.some((mean) => mean > 1)).toBe(true);
});

it('is found by a selection that is made again, and not made twice', async () => {
  await select(world, first);
  const made = world.deployments.champion()?.message;
  await sleep(2);
  expect(await select(world, first)).toMatchObject({ champion: V0 });
  expect(world.deployments.champion()?.message).toEqual(made);
});

it('is not deployed for a round that is not possible', async () => {
  await expect(select(world, { ...first, participants: 1_000 })).rejects.toMatchObject({
    code: 'InvalidInput',
  });
  expect(world.deployments.find(V0)).toBeUndefined();
});

it('is no part of a selection where a version serves', async () => {
  expect(await select(world, later)).not.toHaveProperty('champion');
  expect(world.deployments.find(V0)).toBeUndefined();
});

it('is the same when it is a step of its own, for a workflow of an earlier release', async () => {
  expect(await deployFirstVersion(world, { ...ref, seed: 3 })).toBe(V0);
  const made = world.deployments.champion()?.message;
  expect(await select(world, first)).toMatchObject({ champion: V0 });
  expect(world.deployments.champion()?.message).toEqual(made);
});

it('takes the place of no version that serves, when a first round is reset after a promotion by hand', async () => {
  await select(world, first);
  const { model, message } = world.deployments.champion()!;
  const byHand = versionIdSchema.parse('v1');
  const metadata = { ...model.metadata, version: byHand };
  await deployModels(
    world.producer,
    world.deployments,
    [{ model: { ...model, metadata }, lineage: { ...message.lineage, round: 1 } }],
    [
      { version: byHand, stage: 'champion', round: 1, reason: 'by hand' },
      { version: V0, stage: 'shadow', round: 1, reason: 'v1 took its place' },
    ],
  );
  expect(await select(world, first)).toMatchObject({ champion: byHand });
  expect(world.deployments.champion()?.version).toBe(byHand);
  expect(world.deployments.find(V0)?.stage.stage).toBe('shadow');
});
