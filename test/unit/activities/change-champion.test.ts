import { mkdir, mkdtemp, readdir, readFile, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promote, rollback, type ChangeChampionDependencies } from '../../../activities/change-champion';
import { decide } from '../../../activities/decide';
import { LatestModel } from '../../../activities/shared/latest-model';
import { deployModels } from '../../../activities/shared/registry';
import { type Stage } from '../../../core/contracts/deployments';
import { versionIdSchema } from '../../../core/contracts/ids';
import { TOPICS } from '../../../core/contracts/topics';
import { decodeState, encodeState, stateFor } from '../../../core/federation/strategies/server-state';
import { followDeployments, logDeployment, type Deployments } from '../../../core/model/deployments';
import { encodeModel } from '../../../core/model/model-file';
import { initialWeights } from '../../../core/model/network';
import { type Producer } from '../../../core/platform/kafka';
import { silentLogger } from '../../../core/platform/log';
import { MemoryKafka } from '../fleet/memory-kafka';
import { SHAPE } from '../../support/task';

const v = (name: string) => versionIdSchema.parse(name);
let folder: string;
let kafka: MemoryKafka;
let producer: Producer;
let deployments: Deployments;
let dependencies: ChangeChampionDependencies;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-champion-'));
  kafka = new MemoryKafka({ [TOPICS.deployments.name]: 1 });
  producer = await kafka.producer();
  deployments = await followDeployments(kafka, silentLogger());
  dependencies = { producer, deployments, latestModel: latestModelIn(folder) };
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const latestModelIn = (place: string): LatestModel =>
  new LatestModel({
    folder: place,
    deployments,
    feedback: { latest: () => Promise.resolve(null) },
    log: silentLogger(),
  });

async function deploy(version: string, round: number, stage: Stage, parent?: string): Promise<void> {
  const scaling = {
    mean: Array.from({ length: SHAPE.inputs }, () => 0),
    scale: Array.from({ length: SHAPE.inputs }, () => 1),
  };
  await deployModels(
    producer,
    deployments,
    [
      {
        model: {
          metadata: {
            version: v(version),
            shape: SHAPE,
            scaling,
            tolerance: 1,
            residualStddev: null,
          },
          weights: initialWeights(SHAPE, round),
        },
        lineage: {
          round,
          parents: parent === undefined ? [] : [v(parent)],
          strategy: 'closed-loop',
          role: null,
          network: null,
          seed: 1,
          devices: 3,
          devices_sha256: null,
          attempt: null,
          training: null,
          adapters: false,
          anomalies: false,
          data_from: null,
          data_until: null,
          feedback_used: {},
        },
      },
    ],
    [{ version: v(version), stage, round, reason: 'as the test has it' }],
  );
}

const stages = (): Record<string, string> =>
  Object.fromEntries(deployments.versions().map(({ version, stage }) => [version, stage.stage]));
const written = (): number => kafka.records(TOPICS.deployments.name)[0]!.length;
const asked = { reason: 'worse than persistence', by: 'fedloop' };

describe('a rollback', () => {
  beforeEach(async () => {
    await deploy('v1', 1, 'retired', 'v0');
    await deploy('v2', 2, 'shadow', 'v1');
    await deploy('v3', 3, 'champion', 'v2');
  });

  it('brings the predecessor back and takes the champion out, with reason and name', async () => {
    expect(await rollback(dependencies, { version: v('v3'), ...asked })).toEqual({
      champion: 'v2',
      previous: 'v3',
      changed: true,
      reason: asked.reason,
    });
    expect(stages()).toEqual({ v1: 'retired', v2: 'champion', v3: 'rolled-back' });
    expect(deployments.find(v('v3'))?.stage).toMatchObject({ reason: asked.reason, by: 'fedloop' });
    expect(deployments.champion()?.version).toBe('v2');
  });

  it('leaves the predecessor as the model that programs find', async () => {
    await rollback(dependencies, { version: v('v3'), ...asked });
    expect(await readlink(join(folder, 'latest_model'))).toBe(join('versions', 'v2'));
    const metadata: unknown = JSON.parse(
      await readFile(join(folder, 'latest_model', 'metadata.json'), 'utf8'),
    );
    expect(metadata).toMatchObject({ version: 'v2', sha256: deployments.find(v('v2'))?.message.sha256 });
  });

  it('puts the link in the place of a folder that a restore has left, and keeps that', async () => {
    await mkdir(join(folder, 'latest_model', 'x'), { recursive: true });
    await rollback(dependencies, { version: v('v3'), ...asked });
    expect(await readlink(join(folder, 'latest_model'))).toBe(join('versions', 'v2'));
    expect((await readdir(folder)).filter((name) => name.startsWith('latest_model.before-'))).toHaveLength(1);
  });

  it('that is tried again does not roll back the next one too', async () => {
    await rollback(dependencies, { version: v('v3'), ...asked });
    const before = written();
    expect(await rollback(dependencies, { version: v('v3'), ...asked })).toMatchObject({
      champion: 'v2',
      changed: false,
    });
    expect(written()).toBe(before);
    expect(stages()).toEqual({ v1: 'retired', v2: 'champion', v3: 'rolled-back' });
  });

  it('that was carried out by a try that could not say so is reported as done', async () => {
    await rollback(dependencies, { version: v('v3'), ...asked });
    expect(await rollback(dependencies, { version: v('v3'), ...asked }, true)).toEqual({
      champion: 'v2',
      previous: 'v3',
      changed: true,
      reason: asked.reason,
    });
    // What somebody else did is not its own.
    const other = { version: v('v3'), reason: 'for another reason', by: 'ada' };
    expect(await rollback(dependencies, other, true)).toMatchObject({ changed: false });
    expect(stages()).toEqual({ v1: 'retired', v2: 'champion', v3: 'rolled-back' });
  });

  it('without a version is of what serves, and a retry does not roll back the next one too', async () => {
    const done = { champion: 'v2', previous: 'v3', changed: true, reason: asked.reason };
    expect(await rollback(dependencies, asked)).toEqual(done);
    expect(await rollback(dependencies, asked, true)).toEqual(done);
    expect(stages()).toEqual({ v1: 'retired', v2: 'champion', v3: 'rolled-back' });
    expect(await rollback(dependencies, { ...asked, reason: 'bad as well' }, true)).toMatchObject({
      champion: 'v1',
      previous: 'v2',
    });
  });

  it('that two workers carry out at once leaves one champion, the one that was logged last', async () => {
    await Promise.all([
      rollback(dependencies, { version: v('v3'), to: v('v1'), ...asked }),
      rollback(
        { ...dependencies, latestModel: latestModelIn(join(folder, 'of another worker')) },
        { version: v('v3'), to: v('v2'), ...asked },
      ),
    ]);
    const logged = kafka.records(TOPICS.deployments.name)[0]!.map(({ value }) => String(value));
    const last = logged.findLast((message) => message.includes('"stage":"champion"'));
    const champion = deployments.champion()!.version;
    expect(last).toContain(`"version":"${champion}"`);
    const beside = champion === 'v1' ? 'v2' : 'v1';
    expect(stages()).toEqual({ [champion]: 'champion', [beside]: 'shadow', v3: 'rolled-back' });
  });

  it('goes to the version that is named', async () => {
    await rollback(dependencies, { version: v('v3'), to: v('v1'), ...asked });
    expect(stages()).toEqual({ v1: 'champion', v2: 'shadow', v3: 'rolled-back' });
  });

  it('never goes to a version that was itself rolled back, and says how it could come back', async () => {
    await rollback(dependencies, { version: v('v3'), ...asked });
    await expect(rollback(dependencies, { version: v('v2'), to: v('v3'), ...asked })).rejects.toMatchObject({
      code: 'InvalidInput',
      hint: expect.stringContaining('fedloop models promote v3') as string,
    });
  });

  it('takes the strategy’s momentum away, and keeps what it knows otherwise', async () => {
    const state = {
      ...stateFor('fedadam', null, 2),
      steps: 7,
      vectors: { m: new Float32Array([1, 2]) },
      evidence: [0.5],
    };
    await logDeployment(producer, [
      { type: 'server-state', kind: 'current', round: 3, state: encodeState(state) },
    ]);
    await rollback(dependencies, { version: v('v3'), ...asked });
    expect(decodeState(deployments.serverState('current')!.state)).toMatchObject({
      steps: 0,
      vectors: {},
      evidence: [0.5],
    });
  });
});

describe('a decision that is tried again', () => {
  it('does not bring back what was rolled back in the meantime', async () => {
    await deploy('v1', 1, 'champion');
    await deploy('v2', 2, 'candidate', 'v1');
    const score = {
      evaluations: 1,
      correct: 1,
      accuracy: 1,
      accuracyCi95: [1, 1] as [number, number],
      bias: 0,
      mae: 0,
      skill: null,
      persistenceAccuracy: 0,
    };
    const decision = {
      round: 2,
      attempt: 'a',
      champion: v('v1'),
      elected: v('v2'),
      candidates: [v('v2')],
      evaluation: {
        windows: { count: 6, from: 0, until: 1 },
        scores: [{ version: v('v2'), ...score }],
        pairedChange: { mean: 0, low: 0, high: 0 },
        verdict: { decision: 'promoted' as const, reason: 'better' },
      },
    };
    await decide(dependencies, decision);
    expect(stages()).toEqual({ v1: 'shadow', v2: 'champion' });
    await rollback(dependencies, { version: v('v2'), ...asked });
    await decide(dependencies, decision);
    expect(stages()).toEqual({ v1: 'champion', v2: 'rolled-back' });
  });
});

describe('the files of the champion', () => {
  const model = (): string => join(folder, 'latest_model', 'model.onnx');
  const saved = async (): Promise<boolean> =>
    (await readFile(model()).catch(() => Buffer.alloc(0))).equals(
      Buffer.from(encodeModel(deployments.champion()!.model)),
    );
  /** Wait for a look of the keeper, which comes every few milliseconds. */
  const until = async (is: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await is())) await new Promise((wake) => setTimeout(wake, 5));
  };

  it('hold up no change while they cannot be written, say why, and follow later', async () => {
    await deploy('v1', 1, 'champion');
    await deploy('v2', 2, 'retired', 'v1');
    // A file where the folder of versions belongs.
    await writeFile(join(folder, 'versions'), '');
    const latestModel = latestModelIn(folder).keep(5);
    const wanted = { version: v('v2'), reason: 'it was better', by: 'ada' };
    expect(await promote({ ...dependencies, latestModel }, wanted)).toMatchObject({ changed: true });
    expect(latestModel.trouble).toContain(
      `the champion's files in ${join(folder, 'latest_model')} are not up to date`,
    );
    await rm(join(folder, 'versions'));
    await until(() => latestModel.trouble === undefined);
    expect(await readlink(join(folder, 'latest_model'))).toBe(join('versions', 'v2'));
    await latestModel.close();
  });

  it.each([
    ['was cut off', () => truncate(model(), 700)],
    ['was removed', () => rm(model())],
    ['is missing, link and all', () => rm(join(folder, 'latest_model'))],
  ])('are made anew where one %s', async (_, damage) => {
    await deploy('v1', 1, 'champion');
    const latestModel = latestModelIn(folder).keep(5);
    await until(saved);
    await damage();
    await until(saved);
    await latestModel.close();
  });
});

describe('a rollback with nobody to go back to', () => {
  it('fails and leaves the champion', async () => {
    await deploy('v0', 0, 'champion');
    await expect(rollback(dependencies, { version: v('v0'), ...asked })).rejects.toMatchObject({
      code: 'NotFound',
    });
    expect(stages()).toEqual({ v0: 'champion' });
  });
});

describe('a promotion by a person', () => {
  it('brings back even what was rolled back, and keeps the one that served in shadow', async () => {
    await deploy('v1', 1, 'shadow');
    await deploy('v2', 2, 'champion', 'v1');
    await rollback(dependencies, { version: v('v2'), ...asked });
    await promote(dependencies, { version: v('v2'), reason: 'the sensors were at fault', by: 'ada' });
    expect(stages()).toEqual({ v1: 'shadow', v2: 'champion' });
    expect(deployments.find(v('v2'))?.stage).toMatchObject({
      reason: 'the sensors were at fault',
      by: 'ada',
    });
  });

  it('brings a version into service also where none serves', async () => {
    await deploy('v1', 1, 'retired', 'v0');
    expect(await promote(dependencies, { version: v('v1'), reason: 'none serves', by: 'Ada' })).toEqual({
      champion: 'v1',
      previous: null,
      changed: true,
      reason: 'none serves',
    });
    expect(stages()).toEqual({ v1: 'champion' });
  });

  it('holds where another worker takes the version out of its round at that moment', async () => {
    await deploy('v1', 1, 'champion');
    await deploy('v2', 2, 'candidate', 'v1');
    await promote(dependencies, { version: v('v2'), reason: 'I know better', by: 'Ada' });
    // The other one has read, before that, that v2 is a candidate.
    await deployModels(
      producer,
      await followDeployments(kafka, silentLogger()),
      [],
      [{ version: v('v2'), stage: 'retired', round: 2, reason: 'the round was cancelled' }],
    );
    await deployments.sync();
    expect(stages()).toEqual({ v1: 'shadow', v2: 'champion' });
    expect(deployments.champion()?.stage).toMatchObject({ reason: 'I know better', by: 'Ada' });
  });

  it('changes nothing when the version serves already', async () => {
    await deploy('v1', 1, 'champion');
    const before = written();
    expect(await promote(dependencies, { version: v('v1'), reason: 'again', by: 'ada' })).toMatchObject({
      changed: false,
    });
    expect(written()).toBe(before);
  });

  it('that was carried out by a try that could not say so is reported as done', async () => {
    await deploy('v1', 1, 'champion');
    await deploy('v2', 2, 'retired', 'v1');
    const wanted = { version: v('v2'), reason: 'it was better', by: 'ada' };
    const done = { champion: 'v2', previous: 'v1', changed: true, reason: 'it was better' };
    expect(await promote(dependencies, wanted)).toEqual(done);
    expect(await promote(dependencies, wanted, true)).toEqual(done);
    expect(stages()).toEqual({ v1: 'shadow', v2: 'champion' });
  });

  it('knows the versions that there are', async () => {
    await deploy('v1', 1, 'champion');
    await expect(
      promote(dependencies, { version: v('v9'), reason: 'why not', by: 'ada' }),
    ).rejects.toMatchObject({ code: 'NotFound', message: 'there is no version v9' });
  });
});
