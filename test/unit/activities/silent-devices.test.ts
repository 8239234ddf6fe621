import { NAMES } from '../../support/names';
import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { createSiteActivities } from '../../../activities/site';
import { type Selection } from '../../../core/contracts/steps';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { RING_WINDOWS } from '../../../core/federation/constants';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { activityEnvironment, activityWorld, MAIN, type ActivityWorld } from './world';

const W = DEFAULT_TASK.windowMicros;
const DEVICES = 120;
const FELL_SILENT = 100;

function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

function roundsIn(world: ActivityWorld): RoundsActivities {
  return createRoundsActivities({
    ...world,
    feedback: world.site.feedback,
    latestModel: { publish: () => Promise.resolve() },
    searchAttributes: true,
    roundId: NAMES.roundId,
    roundsQueue: NAMES.roundsQueue,
  });
}

/** A round of 120 devices, the first `silent` of which fell silent so many windows ago, up to the aggregation. */
async function roundAfter(later: number, silent = 2) {
  const world = await activityWorld();
  const ring = new WindowRing(DEFAULT_TASK);
  const ids = Array.from({ length: DEVICES }, (_, device) => `device-${device}`);
  for (const [device, id] of ids.entries())
    for (let window = 0; window < (device < silent ? FELL_SILENT : FELL_SILENT + later); window += 1)
      ring.put(
        id,
        window * W,
        20 + Math.sin(window / 4 + device) + Math.cos(7 * window * device),
        [50, 1_000],
      );
  const devices = () => ids.map((deviceId) => ({ deviceId, cluster: deviceId }));
  const site = createSiteActivities({ ...world.site, store: { ...world.site.store, ring, devices } });
  const rounds = roundsIn(world);
  const ref = { round: 1, attempt: 'this-try' };
  await run(() => site.describeSite({ ...ref, withFeatureSums: false }));
  const { quotas, ...selection }: Selection = await run(() =>
    rounds.select({ ...ref, sites: [MAIN], participants: 'all' }),
  );
  const plan = world.plan({ ...selection, quota: quotas[0]! });
  const trained = await run(() => site.trainLocals(plan));
  const scored = await run(() => site.scoreLocals(plan, trained.last));
  const aggregated = await run(() =>
    rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, scored.last, []),
  );
  return { selection, quota: quotas[0]!, aggregated };
}

describe('the first version of a fleet whose memory is full', () => {
  it.each([0, 2, 20])('is made while %s of 40 devices have fallen silent', async (silent) => {
    const world = await activityWorld(null);
    const ring = new WindowRing(DEFAULT_TASK);
    const ids = Array.from({ length: 40 }, (_, device) => `device-${device}`);
    for (const [device, id] of ids.entries())
      for (let window = 0; window < RING_WINDOWS + (device < silent ? 0 : 60); window += 1)
        ring.put(id, window * W, 20 + Math.sin(window / 4 + device), [50, 1_000]);
    const devices = () => ids.map((deviceId) => ({ deviceId, cluster: deviceId }));
    const site = createSiteActivities({ ...world.site, store: { ...world.site.store, ring, devices } });
    const rounds = roundsIn(world);
    const ref = { round: 1, attempt: 'this-try' };
    await run(() => site.describeSite({ ...ref, withFeatureSums: true }));
    const asked = { ...ref, sites: [MAIN], participants: 'all', firstVersionSeed: 1 } as const;
    expect((await run(() => rounds.select(asked))).champion).toBe('v0');
  });
});

describe('a round of 120 devices, two of which have fallen silent', () => {
  // They are counted as long as they have windows in the time that the round trains on.
  it.each([
    { later: 20, counted: 2 },
    { later: RING_WINDOWS + 20, counted: undefined },
  ])('goes on with the others, $later windows later', async ({ later, counted }) => {
    const { selection, quota, aggregated } = await roundAfter(later);
    expect(selection.trainUntil).toBe((FELL_SILENT + later - 1) * W);
    expect(quota.panelDevices).toBe(11);
    expect(aggregated.trained).toBe(118 - 3 * 11);
    expect(aggregated.leftOut.silent).toBe(counted);
  });

  it('is the round of all devices before they are silent', async () => {
    const { aggregated } = await roundAfter(5);
    expect(aggregated.trained).toBe(120 - 3 * 12);
    expect(aggregated.leftOut).not.toHaveProperty('silent');
  });
});
