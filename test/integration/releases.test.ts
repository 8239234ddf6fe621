import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Context } from '@temporalio/activity';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { poll } from '../../cli/shared/wait';
import { packageFile } from '../../cli/shared/package-root';
import { missingWorker } from '../../cli/temporal/missing-worker';
import { fleetNameSchema } from '../../core/contracts/ids';
import { fleetNames } from '../../core/contracts/queues';
import { readEnvironment } from '../../core/platform/config';
import { workflowOptions } from '../../workers/temporal';
import { smoothRound } from '../support/smooth-round';

/** Temporal tells of a new current version within seconds; looks for a worker that is missing wait for some, too. */
jest.setTimeout(120_000);

/** Names that no other run on these servers has. */
const fleet = fleetNameSchema.parse(`releases-${randomUUID().slice(0, 8)}`);
const NAMES = fleetNames(fleet);
const namespace = process.env['TEMPORAL_NAMESPACE'] ?? 'default';

interface Release {
  stop(): Promise<void>;
}

let connection: NativeConnection;
let client: Client;
const running: Release[] = [];

beforeAll(async () => {
  Runtime.install({ shutdownSignals: [], logger: new DefaultLogger('ERROR') });
  connection = await NativeConnection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  client = new Client({ connection, namespace });
});
afterAll(async () => {
  await Promise.all(running.map((release) => release.stop()));
  for (const id of [NAMES.roundId, NAMES.evaluationId, NAMES.trainingId])
    await client.workflow
      .getHandle(id)
      .terminate('the test is over')
      .catch(() => undefined);
  await connection.close();
});

/** A rounds worker of this release, whose rounds stay at their first step. */
async function start(build: string | undefined): Promise<Release> {
  const worker = await Worker.create({
    connection,
    namespace,
    taskQueue: NAMES.roundsQueue,
    workflowBundle: { code: readFileSync(packageFile('dist', 'workflow-bundle.js'), 'utf8') },
    ...workflowOptions(
      readEnvironment({
        FEDLOOP_FLEET: fleet,
        ...(build === undefined ? {} : { FEDLOOP_BUILD_ID: build }),
      }),
    ),
    activities: { ...smoothRound, ask: () => Context.current().cancelled },
    shutdownGraceTime: 0,
    shutdownForceTime: '10s',
  });
  const ended = worker.run().catch(() => undefined);
  let stopped: Promise<unknown> | undefined;
  const release = {
    async stop(): Promise<void> {
      if (stopped === undefined) worker.shutdown();
      stopped = ended;
      await stopped;
    },
  };
  running.push(release);
  return release;
}

/** A version is known once a worker of it has polled. */
async function makeCurrent(buildId: string): Promise<void> {
  const request = {
    namespace,
    deploymentName: fleet,
    version: `${fleet}.${buildId}`,
    buildId,
    identity: 'a person',
  };
  await poll(
    () =>
      client.workflowService.setWorkerDeploymentCurrentVersion(request).then(
        () => true,
        () => undefined,
      ),
    { everyMillis: 500, timeoutMillis: 20_000 },
  );
}

const begin = (workflowId: string, type: string): Promise<WorkflowHandle> =>
  client.workflow.start(type, { workflowId, taskQueue: NAMES.roundsQueue });

async function buildOf(handle: WorkflowHandle): Promise<string | null | undefined> {
  const { raw } = await handle.describe();
  return raw.workflowExecutionInfo?.versioningInfo?.deploymentVersion?.buildId;
}

/** Until the run says who is missing. */
function complaint(workflowId: string): Promise<string | undefined> {
  return poll(() => missingWorker(client, NAMES, workflowId), { everyMillis: 500, timeoutMillis: 30_000 });
}

it('runs that outlive a release move to the current one, and a round stays with its own', async () => {
  expect(await missingWorker(client, NAMES, NAMES.roundId)).toBe(
    `no worker polls ${NAMES.roundsQueue}: start one (FEDLOOP_FLEET=${fleet} fedloop worker rounds)`,
  );

  const old = await start('one');
  const round = await begin(NAMES.roundId, 'federatedRound');
  expect(await complaint(NAMES.roundId)).toBe(
    `no version of ${fleet} is current, and the workers that poll ${NAMES.roundsQueue} are of a build (one): ` +
      `make one current (temporal worker deployment set-current-version --deployment-name ${fleet} --build-id one)`,
  );

  await makeCurrent('one');
  const runs = [
    round,
    await begin(NAMES.evaluationId, 'continuousEvaluation'),
    await begin(NAMES.trainingId, 'federatedTraining'),
  ];
  const builds = (): Promise<(string | null | undefined)[]> => Promise.all(runs.map(buildOf));
  await poll(async () => ((await builds()).every((build) => build === 'one') ? true : undefined), {
    everyMillis: 200,
    timeoutMillis: 20_000,
  });
  expect(await missingWorker(client, NAMES, NAMES.roundId)).toBeUndefined();

  const next = await start('two');
  await makeCurrent('two');
  // What a person tells them is the next task of each.
  for (const run of runs) await run.executeUpdate('pause', { args: [{ reason: 'a release' }] });
  expect(await builds()).toEqual(['one', 'two', 'two']);

  await old.stop();
  await round.signal('somebody looks');
  expect(await complaint(NAMES.roundId)).toBe(
    `the run ${NAMES.roundId} is pinned to the build one, and no worker of that build polls ${NAMES.roundsQueue}: ` +
      `start one (FEDLOOP_FLEET=${fleet} FEDLOOP_BUILD_ID=one fedloop worker rounds), or move the run to the current version ` +
      `(temporal workflow update-options --workflow-id ${NAMES.roundId} --versioning-override-behavior auto_upgrade)`,
  );

  await next.stop();
  await start('one');
  const [, evaluation] = runs;
  await evaluation?.signal('somebody looks');
  expect(await complaint(NAMES.evaluationId)).toBe(
    `no worker of the current build two of ${fleet} polls ${NAMES.roundsQueue}: start one (FEDLOOP_FLEET=${fleet} FEDLOOP_BUILD_ID=two fedloop worker rounds), ` +
      `or make the build of those that do current (temporal worker deployment set-current-version --deployment-name ${fleet} --build-id one)`,
  );
});
