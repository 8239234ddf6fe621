import { setTimeout as sleep } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import { createRoundsActivities, type RoundsActivities } from '../../../activities/rounds';
import { LatestModel } from '../../../activities/shared/latest-model';
import { silentLogger } from '../../../core/platform/log';
import { createSiteActivities, type SiteActivities } from '../../../activities/site';
import { publishReports } from '../../../activities/shared/site-reports';
import { siteNameSchema, versionIdSchema } from '../../../core/contracts/ids';
import { partsFor } from '../../../core/contracts/rounds';
import { SENDING_STEPS, type EvaluateResult, type RoundPlan } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { encodeState, stateFor } from '../../../core/federation/strategies/server-state';
import { logDeployment } from '../../../core/model/deployments';
import { addTallies } from '../../../core/federation/panels/panel-tally';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { activityEnvironment, activityWorld, DEVICES, MAIN, sentKeys, V0, type ActivityWorld } from './world';
import { NAMES } from '../../support/names';

/** Every step of a round that runs at a site or at the rounds worker, one after the other, as activities. */
let world: ActivityWorld;
let site: SiteActivities;
let rounds: RoundsActivities;
let models: string;

beforeEach(async () => {
  world = await activityWorld();
  models = await mkdtemp(join(tmpdir(), 'fedloop-models-'));
  site = createSiteActivities(world.site);
  rounds = createRoundsActivities({
    ...world,
    ...ROUNDS,
    feedback: world.site.feedback,
    latestModel: latestModelIn(models),
  });
});
afterEach(() => rm(models, { recursive: true, force: true }));

const latestModelIn = (folder: string): LatestModel =>
  new LatestModel({
    folder,
    deployments: world.deployments,
    feedback: world.site.feedback,
    log: silentLogger(),
  });

/** Run one step, as Temporal would. */
function run<Result>(step: () => Promise<Result>): Promise<Result> {
  return activityEnvironment().environment.run(step);
}

const ROUNDS = { roundId: NAMES.roundId, roundsQueue: NAMES.roundsQueue, searchAttributes: true };
const ref = { round: 1, attempt: 'this-try' };

/** Everything up to the proposals. */
async function aggregated(): ReturnType<RoundsActivities['aggregate']> {
  const plan = world.plan();
  await run(() => site.describeSite({ ...ref, withFeatureSums: false }));
  const trained = await run(() => site.trainLocals(plan));
  const scored = await run(() => site.scoreLocals(plan, trained.last));
  return run(() => rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, scored.last, []));
}

/** Everything up to the candidates. */
async function deployed(linearEvidence: readonly number[] = []): ReturnType<RoundsActivities['deploy']> {
  const plan = world.plan();
  const made = await aggregated();
  await run(() => site.sumPanels(plan));
  const refitted = await run(() => rounds.refit(plan));
  await run(() => site.scoreProposals(plan, [...made.proposals, ...refitted]));
  return run(() => rounds.deploy(plan, made, [], linearEvidence));
}

const stageOf = (version: string): string | undefined =>
  world.deployments.find(versionIdSchema.parse(version))?.stage.stage;

describe('describing a site', () => {
  it('says its size to Temporal and the rest, once, to model-updates', async () => {
    const { environment, heartbeats } = activityEnvironment();
    const describe = (): Promise<unknown> => site.describeSite({ ...ref, withFeatureSums: true });
    expect(await environment.run(describe)).toMatchObject({ site: MAIN, devices: DEVICES });
    await environment.run(describe);
    expect(heartbeats.length).toBeGreaterThan(0);
    const said = await world.inbox.descriptions(ref);
    expect(said).toHaveLength(1);
    expect(said[0]?.featureSums?.count.every((count) => count > 0)).toBe(true);
  });

  it('stops when it is cancelled while it sums', async () => {
    const { environment } = activityEnvironment();
    environment.cancel();
    await expect(
      environment.run(() => site.describeSite({ ...ref, withFeatureSums: true })),
    ).rejects.toThrow();
    expect(sentKeys(world)).toEqual([]);
  });
});

describe('selecting', () => {
  it('refuses more participants than there are devices, under the code InvalidInput and for good', async () => {
    await run(() => site.describeSite({ ...ref, withFeatureSums: false }));
    const selecting = run(() => rounds.select({ ...ref, sites: [MAIN], participants: 1_000 }));
    await expect(selecting).rejects.toBeInstanceOf(ApplicationFailure);
    await expect(selecting).rejects.toMatchObject({ type: 'InvalidInput', nonRetryable: true });
  });

  it('says which site did not describe itself', async () => {
    await expect(
      run(() => rounds.select({ ...ref, sites: [MAIN], participants: 'all' })),
    ).rejects.toMatchObject({
      type: 'NotFound',
      message: 'the site main did not describe itself',
    });
  });
});

describe('training', () => {
  it('tells in its heartbeat what was sent, and a retry goes on behind it', async () => {
    const plan = world.plan();
    const { environment, heartbeats } = activityEnvironment();
    const first = await environment.run(() => site.trainLocals(plan));
    expect(first).toMatchObject({ trained: 20, count: 1 });
    expect(heartbeats.at(-1)).toMatchObject({ chunks: 1, trained: 20 });
    const before = sentKeys(world);
    expect(before).toEqual(['selection/1/main/0', 'update/1/main/0']);
    const again = activityEnvironment({ heartbeatDetails: heartbeats.at(-1) });
    expect(await again.environment.run(() => site.trainLocals(plan))).toMatchObject({
      trained: 20,
      count: 1,
    });
    expect(sentKeys(world)).toEqual(before);
  });

  it('sends nothing more once it is cancelled', async () => {
    const { environment } = activityEnvironment();
    environment.cancel();
    await expect(environment.run(() => site.trainLocals(world.plan()))).rejects.toThrow();
    expect(sentKeys(world)).toEqual(['selection/1/main/0']);
  });

  it('refuses more windows than the site remembers, and says how many it can have', async () => {
    const world = await activityWorld();
    const plan = world.plan({ training: { ...world.plan().training, windows: 1_000 } });
    await expect(
      activityEnvironment().environment.run(() => createSiteActivities(world.site).trainLocals(plan)),
    ).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('training.windows: at most 375, not 1000') as string,
    });
  });

  it('refuses a round that has no share for it', async () => {
    await expect(run(() => site.trainLocals(world.plan({ quota: null })))).rejects.toMatchObject({
      type: 'InvalidInput',
      nonRetryable: true,
    });
  });
});

describe('scoring, aggregating and refitting', () => {
  it('make a steady and a responsive proposal, and say what each update was worth', async () => {
    expect(await aggregated()).toMatchObject({
      proposals: ['steady', 'responsive'],
      trained: 20,
      wantsPanels: true,
    });
    expect(sentKeys(world)).toContain('score/1/main/main/0');
    expect(sentKeys(world)).toContain('outcome/1/0');
  });

  it('say again, after a retry, what they have said', async () => {
    const plan = world.plan();
    await aggregated();
    const sum = (): Promise<unknown> => run(() => site.sumPanels(plan));
    expect(await sum()).toEqual(await sum());
    expect(await world.inbox.refitSums(plan)).toHaveLength(3);
    expect(await run(() => rounds.refit(plan))).toEqual(await run(() => rounds.refit(plan)));
    const score = (): Promise<unknown> => run(() => site.scoreProposals(plan, ['steady', 'responsive']));
    expect(await score()).toEqual(await score());
    expect(await world.inbox.panelScores(plan)).toHaveLength(2);
  });

  it('fail under the code TooFewUpdates, for good, when there are too few', async () => {
    const plan = world.plan({ minUpdates: 21 });
    const { last } = await run(() => site.trainLocals(plan));
    const failing = run(() => rounds.aggregate(plan, { last, feedbackUsed: {} }, -1, []));
    await expect(failing).rejects.toMatchObject({ type: 'TooFewUpdates', nonRetryable: true });
  });

  it('name the champion that is missing', async () => {
    const plan = world.plan({ champion: versionIdSchema.parse('v9') });
    await expect(run(() => rounds.refit(plan))).rejects.toMatchObject({ type: 'NotFound' });
  });
});

describe('fltrust', () => {
  const fltrust = (): ReturnType<ActivityWorld['plan']> =>
    world.plan({ strategy: 'fltrust', parts: partsFor('fltrust', {}) });

  it('holds updates against one that each site trains on panel A, once however often it retries', async () => {
    const plan = fltrust();
    await run(() => site.describeSite({ ...ref, withFeatureSums: false }));
    const trained = await run(() => site.trainLocals(plan));
    const scored = await run(() => site.scoreLocals(plan, trained.last));
    const [root, ...others] = await world.inbox.rootUpdates(plan);
    expect(others).toEqual([]);
    await run(() => site.scoreLocals(plan, trained.last));
    expect(await world.inbox.rootUpdates(plan)).toEqual([root]);
    const made = await run(() =>
      rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, scored.last, []),
    );
    expect(made).toMatchObject({
      proposals: ['sole'],
      feedbackUsed: { trusted_updates: made.used, impossible_root_updates: 0 },
    });
    expect(made.used).toBeGreaterThan(10);
    const { weights } = world.deployments.find(V0)!.model;
    const step = (await world.inbox.proposal(plan, 'sole')).map((weight, at) => weight - weights[at]!);
    expect(Math.hypot(...step)).toBeLessThanOrEqual(Math.hypot(...root!.delta) * 1.0001);
  });

  it('is trained by no site for other strategies', async () => {
    await aggregated();
    expect(await world.inbox.rootUpdates(ref)).toEqual([]);
  });
});

describe('scaffold', () => {
  const planOf = (about: Partial<RoundPlan> = {}): ReturnType<ActivityWorld['plan']> =>
    world.plan({ strategy: 'scaffold', parts: partsFor('scaffold', {}), ...about });

  /** The updates that a site sends in a round. */
  async function deltasOf(of: SiteActivities, plan: ReturnType<typeof planOf>): Promise<number[]> {
    const { last } = await run(() => of.trainLocals(plan));
    const chunks = await world.inbox.updates(plan, last);
    return chunks.flatMap(({ deltas }) => [...deltas]);
  }

  it('corrects gradients by what the server and the device have learned in a promoted round', async () => {
    await run(() => site.describeSite({ ...ref, withFeatureSums: false }));
    const trained = await run(() => site.trainLocals(planOf()));
    await run(() => rounds.aggregate(planOf(), { last: trained.last, feedbackUsed: {} }, -1, []));
    await world.deployments.sync();
    const pending = world.deployments.serverState('pending')!;
    const decided = { attempt: ref.attempt, decision: 'promoted', reason: 'better' } as const;
    await logDeployment(world.producer, [{ ...pending, kind: 'current', decided }]);

    const second = (attempt: string, strategy: 'fedavg' | 'scaffold'): Promise<number[]> =>
      deltasOf(site, planOf({ round: 2, attempt, strategy }));
    const uncorrected = await second('plain', 'fedavg');
    const corrected = await second('again', 'scaffold');
    const fresh = await deltasOf(
      createSiteActivities(world.site),
      planOf({ round: 2, attempt: 'restarted' }),
    );
    expect(corrected).toHaveLength(uncorrected.length);
    for (const other of [uncorrected, fresh]) expect(corrected).not.toEqual(other);
    expect(await second('once more', 'scaffold')).toEqual(corrected);
  });

  it('trains as fedavg does before the server has learned anything', async () => {
    const plain = await deltasOf(site, planOf({ attempt: 'plain', strategy: 'fedavg' }));
    expect(await deltasOf(site, planOf({ attempt: 'first' }))).toEqual(plain);
  });
});

describe('reports that nobody can have measured', () => {
  it('are none of an honest site’s', async () => {
    const { feedbackUsed } = await aggregated();
    expect(feedbackUsed).toMatchObject({ impossible_scores: 0 });
    expect((await deployed()).feedbackUsed).toMatchObject({
      impossible_scores: 0,
      impossible_panel_scores: 0,
      impossible_refit_sums: 0,
    });
  });

  it('do not count, and stand with the version by their number', async () => {
    const liar = siteNameSchema.parse('liar');
    const forged = { type: 'panel-score', ...ref, site: liar, proposal: 'steady' } as const;
    const b = { ...addTallies([]), rows: 1e9, correct: 1e9, softCorrect: 1e9, devices: 1e9 };
    const sums = { gram: new Array<number>(33 * 33).fill(1e9), blocks: [] };
    await publishReports(world.site.producer, [
      { ...forged, b, c: b },
      { ...forged, type: 'refit-sums', ...sums },
    ]);
    expect((await deployed()).feedbackUsed).toMatchObject({
      impossible_panel_scores: 1,
      impossible_refit_sums: 1,
    });
    const values = world.kafka.records(TOPICS.updates.name)[0]!.map(({ value }) => String(value));
    const named = values.filter((value) => value.startsWith('{"type":"left-out"')).at(-1);
    expect(JSON.parse(named!)).toMatchObject({
      device_id: ['(refit sums of steady)'],
      site: ['liar'],
      reason: ['impossible-sums'],
      copies: [1],
    });
  });
});

describe('deploying and deciding', () => {
  const evaluation = (
    elected: EvaluateResult['scores'][number]['version'],
    decision: 'promoted' | 'rejected',
  ): EvaluateResult => ({
    windows: { count: 1, from: 0, until: 0 },
    scores: [],
    pairedChange: { mean: 0, low: 0, high: 0 },
    verdict: { decision, reason: `${elected} was ${decision}` },
  });

  /** A round that compared its candidates with v0 carries out this verdict. */
  const decidedAs = (
    decision: 'promoted' | 'rejected',
    elected: Parameters<typeof evaluation>[0],
    candidates: readonly (typeof elected)[],
  ): ReturnType<RoundsActivities['decide']> =>
    run(() =>
      rounds.decide({
        ...ref,
        champion: V0,
        elected,
        candidates,
        evaluation: evaluation(elected, decision),
      }),
    );

  it('bring candidates into force, and a second try changes nothing', async () => {
    const { elected, candidates } = await deployed();
    expect(elected.version).toBe('v1');
    expect(candidates.map(stageOf)).toEqual(candidates.map(() => 'candidate'));
    expect(world.deployments.champion()?.version).toBe('v0');
  });

  it('put the fleet’s linear model beside the networks', async () => {
    expect((await deployed()).candidates).toEqual(['v1', 'v1-responsive', 'v1-linear']);
  });

  it('elect it once past rounds show that it is better', async () => {
    const { elected, candidates } = await deployed([0.05, 0.06]);
    expect(candidates).toEqual(['v1', 'v1-steady', 'v1-responsive']);
    const { lineage } = world.deployments.find(elected.version)!.message;
    expect(lineage).toMatchObject({ role: 'linear', network: 'steady', parents: ['v0'] });
  });

  it('train the next round from the network beside a linear champion', async () => {
    const { elected, candidates } = await deployed([0.05, 0.06]);
    await decidedAs('promoted', elected.version, candidates);
    expect([stageOf('v1'), stageOf('v1-steady')]).toEqual(['champion', 'retired']);
    const plan = world.plan({ round: 2, champion: elected.version, attempt: 'next' });
    const { last } = await run(() => site.trainLocals(plan));
    const [chunk] = await world.inbox.updates(plan, last);
    expect(chunk?.header.base_version).toBe('v1-steady');
  });

  it('promote once, however often it is said, and leave the champion in latest_model', async () => {
    const { elected, candidates } = await deployed();
    const input = {
      ...ref,
      champion: V0,
      elected: elected.version,
      candidates,
      evaluation: evaluation(elected.version, 'promoted'),
    };
    await run(() => rounds.decide(input));
    await run(() => rounds.decide(input));
    expect([stageOf('v1'), stageOf('v0')]).toEqual(['champion', 'shadow']);
    const metadata = JSON.parse(
      await readFile(join(models, 'latest_model', 'metadata.json'), 'utf8'),
    ) as unknown;
    expect(metadata).toMatchObject({ version: 'v1' });
  });

  it('change the champion once when two ask for it at the same moment', async () => {
    const { elected, candidates } = await deployed();
    await decidedAs('promoted', elected.version, candidates);
    const back = { version: elected.version, reason: 'too warm', by: 'Ada' };
    const answers = await Promise.all([run(() => rounds.rollback(back)), run(() => rounds.rollback(back))]);
    expect(answers.map(({ changed }) => changed)).toEqual([true, false]);
    expect([stageOf('v1'), stageOf('v0')]).toEqual(['rolled-back', 'champion']);
  });

  it.each(['rejected', 'promoted'] as const)(
    'leave a candidate in service that a person promoted meanwhile, although the round would have %s another',
    async (decision) => {
      const { elected, candidates } = await deployed();
      const other = candidates.find((version) => version !== elected.version);
      const chosen = decision === 'rejected' ? elected.version : other!;
      await run(() => rounds.promote({ version: chosen, reason: 'now', by: 'Ada' }));
      expect(await decidedAs(decision, elected.version, candidates)).toEqual({
        decision: 'kept',
        reason: `${chosen} became champion, by Ada, while the round compared its candidate with v0`,
      });
      expect([world.deployments.champion()?.version, stageOf(chosen)]).toEqual([chosen, 'champion']);
      expect(world.deployments.inForce().map(({ version }) => version)).toEqual(
        expect.arrayContaining([V0, chosen]),
      );
      expect(world.deployments.inForce()).toHaveLength(2);
    },
  );

  it('leave the name of who promoted the candidate by hand, where the round promotes it too', async () => {
    const { elected, candidates } = await deployed();
    await run(() => rounds.promote({ version: elected.version, reason: 'now', by: 'Ada' }));
    expect(await decidedAs('promoted', elected.version, candidates)).toMatchObject({ decision: 'promoted' });
    expect(world.deployments.champion()?.stage).toMatchObject({ by: 'Ada', reason: 'now' });
    expect(stageOf('v0')).toBe('shadow');
  });

  it('leave a champion out of service that a person rolled back to the candidate, which is promoted', async () => {
    const { elected, candidates } = await deployed();
    await run(() => rounds.rollback({ version: V0, to: elected.version, reason: 'bad', by: 'Ada' }));
    await decidedAs('promoted', elected.version, candidates);
    expect([stageOf('v0'), stageOf('v1')]).toEqual(['rolled-back', 'champion']);
  });

  describe('where a person promoted a candidate meanwhile, and rolled it back', () => {
    const tryOut = async (version: string): Promise<void> => {
      const named = versionIdSchema.parse(version);
      await run(() => rounds.promote({ version: named, reason: 'try it', by: 'Bea' }));
      await run(() => rounds.rollback({ version: named, to: V0, reason: 'it is bad', by: 'Carl' }));
    };

    it('keep the champion, say who took the candidate out of service, and close the round', async () => {
      const { elected, candidates } = await deployed();
      await tryOut(elected.version);
      const kept = {
        decision: 'kept',
        reason:
          'v1 was taken out of service by Carl while its round measured it (it is bad), and only a person brings it back',
      };
      expect(await decidedAs('promoted', elected.version, candidates)).toEqual(kept);
      expect(world.deployments.champion()?.version).toBe(V0);
      const others = candidates.filter((version) => version !== elected.version);
      expect(candidates.map(stageOf)).toEqual(['rolled-back', ...others.map(() => 'retired')]);
      expect(world.deployments.serverState('current')?.decided).toMatchObject(kept);
    });

    it('leave it rolled back where it was the other candidate', async () => {
      const { elected, candidates } = await deployed();
      const other = candidates.find((version) => version !== elected.version);
      await tryOut(other!);
      expect(await decidedAs('promoted', elected.version, candidates)).toMatchObject({
        decision: 'promoted',
      });
      expect([stageOf('v1'), stageOf(other!), stageOf('v0')]).toEqual(['champion', 'rolled-back', 'shadow']);
    });

    it('leave it rolled back where the round is reset and deploys the same weights again', async () => {
      const { elected } = await deployed();
      await tryOut(elected.version);
      expect((await deployed()).elected.version).toBe(elected.version);
      expect(stageOf('v1')).toBe('rolled-back');
    });
  });

  it('keep the champion when the verdict says so', async () => {
    const { elected, candidates } = await deployed();
    await decidedAs('rejected', elected.version, candidates);
    expect([stageOf('v1'), stageOf('v0')]).toEqual(['rejected', 'champion']);
  });

  it('withdraw every candidate of a round that ends early, and leave the champion', async () => {
    const { candidates } = await deployed();
    await run(() => rounds.withdraw({ ...ref, reason: 'the round was cancelled' }));
    await run(() => rounds.withdraw({ ...ref, reason: 'the round was cancelled' }));
    expect(candidates.map(stageOf)).toEqual(candidates.map(() => 'retired'));
    expect(world.deployments.champion()?.version).toBe('v0');
  });
});

describe('a round that was reset', () => {
  const takes = (name: string): NonNullable<RoundPlan['takes']> =>
    Object.fromEntries(SENDING_STEPS.map((step) => [step, `${step} ${name}`]));

  /** Everything up to the candidates, in a take of its own. */
  async function deployedIn(name: string, seed: number): ReturnType<RoundsActivities['deploy']> {
    const plan = { ...world.plan(), takes: takes(name), seed };
    await run(() => site.describeSite({ ...ref, takes: takes(name), withFeatureSums: false }));
    const trained = await run(() => site.trainLocals(plan));
    const scored = await run(() => site.scoreLocals(plan, trained.last));
    const made = await run(() =>
      rounds.aggregate(plan, { last: trained.last, feedbackUsed: {} }, scored.last, []),
    );
    expect(made).toMatchObject({ trained: 20, leftOut: {} });
    await run(() => site.sumPanels(plan));
    const refitted = await run(() => rounds.refit(plan));
    await run(() => site.scoreProposals(plan, [...made.proposals, ...refitted]));
    return run(() => rounds.deploy(plan, made, []));
  }

  it('finds what it has sent before, and deploys the same weights under the same names', async () => {
    const first = await deployedIn('first', 1);
    expect((await deployedIn('second', 1)).candidates).toEqual(first.candidates);
  });

  it('deploys other weights under names of their own, and takes the former ones out of force', async () => {
    const first = await deployedIn('first', 1);
    const second = await deployedIn('second', 2);
    expect(second.candidates.every((version) => version.startsWith('v1.2'))).toBe(true);
    expect(first.candidates.map(stageOf)).toEqual(first.candidates.map(() => 'retired'));
    expect(second.candidates.map(stageOf)).toEqual(second.candidates.map(() => 'candidate'));
    const { lineage } = world.deployments.find(second.elected.version)!.message;
    expect(lineage).toMatchObject({ round: 1, attempt: 'this-try', training: 'train second' });
  });
});

describe('asking', () => {
  it('takes candidates out of force that a terminated round has left', async () => {
    const { candidates } = await deployed();
    expect(await run(() => rounds.ask())).toMatchObject({ round: 2, champion: 'v0', searchAttributes: true });
    expect(candidates.map(stageOf)).toEqual(candidates.map(() => 'retired'));
  });

  it('gives no version the name of one that was measured and that its topic has lost', async () => {
    const after = (measured: readonly number[]): Promise<number> => {
      const feedback = { ...world.site.feedback, measuredRounds: () => Promise.resolve(measured) };
      const asking = createRoundsActivities({
        ...world,
        ...ROUNDS,
        latestModel: latestModelIn(models),
        feedback,
      });
      return run(async () => (await asking.ask()).round);
    };
    expect(await after([1, 3, 4, 2])).toBe(5);
    // No broker loses so many rounds: the number is forged.
    expect(await after([3, 999_999_998])).toBe(4);
  });

  it('is not led astray by forged states of later rounds, nor is any step', async () => {
    const state = encodeState(stateFor('closed-loop', null, 4));
    await logDeployment(world.producer, [
      { type: 'server-state', kind: 'current', round: 999_999_998, state },
      { type: 'server-state', kind: 'pending', round: 2, state },
    ]);
    expect(await run(() => rounds.ask())).toMatchObject({ round: 1 });
    const { candidates } = await deployed();
    expect(candidates.map(stageOf)).toEqual(candidates.map(() => 'candidate'));
  });
});

describe('waiting for a turn', () => {
  it('ends when it is cancelled, however long the other round takes', async () => {
    const { environment } = activityEnvironment({});
    const client = { workflow: { getHandle: () => ({ result: () => new Promise(() => undefined) }) } };
    Object.defineProperty(environment.context, 'client', { value: client });
    const waiting = environment.run(() => rounds.waitForTurn());
    const outcome = expect(waiting).rejects.toThrow();
    await sleep(10);
    environment.cancel();
    await outcome;
  });
});
