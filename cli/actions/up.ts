import { stat } from 'node:fs/promises';
import { FedloopError } from '../../core/contracts/errors';
import { type StreamSettings } from '../../core/contracts/settings';
import { readEnvironment } from '../../core/platform/config';
import { type Deployed } from '../../core/platform/deployment-file';
import { dataFolder, planFleet } from '../demo/plan-fleet';
import { demoSettings } from '../demo/settings';
import { renderLinks } from '../demo/links';
import { startDaemon } from '../system/daemon';
import { deployedIn, deploymentFileOf } from '../system/deployment-file';
import { type WantedDeployment } from '../system/log-settings';
import { createRunFolder, namedRun, runId, type RunFolder } from '../system/run-folder';
import { requireNoneRunning } from '../system/running';
import { type Session } from '../system/session';
import { startSystem } from '../system/system';
import { unlessAborted } from '../shared/wait';
import { requireBuilt, deploymentRoles } from '../system/worker-process';

export interface UpOptions {
  readonly fleet?: boolean;
  readonly devices: number;
  readonly data: string;
  readonly seed: number;
  readonly tolerance: number;
  readonly resume?: string;
  readonly foreground?: boolean;
  readonly runId?: string;
  readonly uiPort?: number;
  readonly temporalPort?: number;
  readonly kafkaPort?: number;
  readonly json?: boolean;
}

/** Options of the simulated fleet. */
const OF_SIMULATION = ['fleet', 'devices', 'data', 'seed'] as const;
/** Options that have no meaning beside a deployment file. */
const BESIDE_NO_FILE = [...OF_SIMULATION, 'tolerance'] as const;
/** Those that the user has given, and not only their defaults. */
export type GivenOptions = ReadonlySet<keyof UpOptions>;

/** Bring the system up, in this process or in a daemon. */
export async function up(session: Session, options: UpOptions, given: GivenOptions): Promise<void> {
  await requireBuilt();
  await requireNoneRunning(session.folder);
  const deployed = await deployedIn(session);
  refuseBesideFile(session, given);
  const run = await folderOf(session, options);
  if (options.foreground === true) {
    await holdSystem({ ...session, env: deployed.env }, { options, given, run, deployed });
    return;
  }
  const system = await startDaemon(session, run);
  session.out(
    options.json === true
      ? `${JSON.stringify(system, null, 2)}\n`
      : `up: run ${system.id} (stop it with \`fedloop down\`)\n`,
  );
}

/** Without a file and a tolerance of its own a command obeys what the fleet has logged, as a worker does. */
function wantedDeployment(
  { env }: Session,
  { options, given, deployed }: Start,
  settings: StreamSettings,
): WantedDeployment {
  // Nothing else of a run that is resumed is running.
  const takesLimits = options.resume !== undefined;
  if (deployed.plan !== undefined)
    return { plan: deployed.plan, fromFile: true, onRunning: 'compare', takesLimits };
  const { FEDLOOP_FLEET: fleet } = readEnvironment(env);
  return {
    plan: { fleet, settings, measuresTolerance: false },
    onRunning: given.has('tolerance') ? 'compare' : 'obey',
    takesLimits,
  };
}

/** @throws FedloopError `NotFound` for an earlier run that does not exist. */
async function folderOf(session: Session, options: UpOptions): Promise<RunFolder> {
  if (options.resume === undefined)
    return createRunFolder(session.folder, options.runId ?? runId(new Date(), process.pid));
  const run = namedRun(session.folder, options.resume);
  if ((await stat(run.servers).catch(() => undefined)) === undefined)
    throw new FedloopError('NotFound', `there is no run ${run.id} to go on with`, {
      hint: `Runs lie in ${session.folder}/runs; leave --resume out for a new one.`,
    });
  return createRunFolder(session.folder, run.id);
}

/** @throws FedloopError `InvalidConfig` for an option that contradicts the deployment file. */
function refuseBesideFile(session: Session, given: GivenOptions): void {
  const file = deploymentFileOf(session);
  const option = BESIDE_NO_FILE.find((name) => given.has(name));
  if (file === undefined || option === undefined) return;
  const why =
    option === 'tolerance'
      ? 'which has the tolerance: set `target.tolerance` there'
      : 'and --fleet and its options simulate another: leave them out, or work in another folder';
  throw new FedloopError(
    'InvalidConfig',
    `--${option} cannot be given here: ${file} describes the fleet, ${why}`,
  );
}

interface Start {
  readonly options: UpOptions;
  readonly given: GivenOptions;
  readonly run: RunFolder;
  readonly deployed: Deployed;
}

/** Bring everything up and keep it up until the session is aborted. */
async function holdSystem(session: Session, start: Start): Promise<void> {
  const { options, run } = start;
  const data = options.fleet === true ? await dataFolder(session.folder, options.data) : options.data;
  const settings = demoSettings({
    rounds: 1,
    windows: 6,
    participants: 'all',
    strategy: 'closed-loop',
    clock: 'independent',
    speed: 'max',
    devices: options.devices,
    seed: options.seed,
    tolerance: options.tolerance,
    data,
    // The fleet gets windows for rounds that people start.
    stay: true,
  });
  const system = await startSystem({
    session,
    run,
    roles: ({ source }) => [
      ...deploymentRoles(source),
      ...(options.fleet === true ? (['fleet'] as const) : []),
    ],
    deployment: wantedDeployment(session, start, settings.stream),
    ports: { kafka: options.kafkaPort, temporal: options.temporalPort, temporalUi: options.uiPort },
    prepare: (processes) =>
      options.fleet === true ? planFleet(session, processes, settings, run) : Promise.resolve({}),
  });
  try {
    session.progress.note(
      `\n${renderLinks(system, options.runId === undefined ? 'Ctrl-C' : '`fedloop down`')}`,
    );
    await unlessAborted(system.failed, session.signal);
  } finally {
    const step = session.progress.step('Stopping');
    await system.stop();
    step.done();
  }
}
