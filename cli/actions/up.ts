import { FedloopError } from '../../core/contracts/errors';
import { type StreamSettings } from '../../core/contracts/settings';
import { readEnvironment } from '../../core/platform/config';
import { type Deployed } from '../../core/platform/deployment-file';
import { type FleetSettings } from '../../fleet/settings';
import { dataFolder, planFleet } from '../demo/plan-fleet';
import { demoSettings, type DemoSettings } from '../demo/settings';
import { renderLinks } from '../demo/links';
import { ownServersBy, withoutOthers, type CleanedEnvironment } from '../servers/own-environment';
import { type ServersStart } from '../servers/servers';
import { startDaemon } from '../system/daemon';
import { deployedIn, deploymentFileOf } from '../system/deployment-file';
import { type WantedDeployment } from '../system/log-settings';
import { hadPort, readRemembered, type RememberedRun } from '../system/remembered-run';
import {
  createRunFolder,
  discardUnbegun,
  hasBegun,
  namedRun,
  runId,
  type RunFolder,
} from '../system/run-folder';
import { requireNoneRunning } from '../system/running';
import { type Session } from '../system/session';
import { startSystem } from '../system/system';
import { unlessAborted } from '../shared/wait';
import { requireBuilt, deploymentRoles } from '../system/worker-process';
import { resumedFleet } from './resume';

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
  const earlier = await earlierRun(session, options);
  const before = earlier === undefined ? undefined : await readRemembered(earlier);
  const { env, ignored } = surroundings(session, before);
  const own: Session = { ...session, env };
  const deployed = await deployedIn(own);
  refuseOtherFleet(earlier, before, deployed);
  refuseBesideFile(own, given);
  const simulation = await simulationOf(own, options, given, before && earlier && { before, id: earlier.id });
  const run = await createRunFolder(session.folder, earlier?.id ?? newRunId(options));
  try {
    if (ignored.length > 0)
      session.progress.note(
        `The environment’s ${ignored.join(', ')} are for other servers than this system’s own, and are not used.`,
      );
    if (options.foreground === true) {
      await holdSystem({ ...own, env: deployed.env }, { options, given, run, deployed, simulation, before });
      return;
    }
    const system = await startDaemon(own, run);
    session.out(
      options.json === true
        ? `${JSON.stringify(system, null, 2)}\n`
        : `up: run ${system.id} (stop it with \`fedloop down\`)\n`,
    );
  } catch (cause) {
    // The command that has started a daemon reads its log first.
    if (options.runId === undefined) await discardUnbegun(run);
    throw cause;
  }
}

function newRunId({ runId: named }: UpOptions): string {
  return named ?? runId(new Date(), process.pid);
}

/**
 * The environment without what is meant for other servers. A run that had servers of its own goes on with them, and with the deployment
 * file and fleet that it had.
 */
function surroundings(session: Session, before: RememberedRun | undefined): CleanedEnvironment {
  const named = ownServersBy(session.env);
  const { env, ignored } = withoutOthers(session.env, {
    kafka: named.kafka || (before !== undefined && before.ports.kafka !== null),
    temporal: named.temporal || (before !== undefined && before.ports.temporal !== null),
  });
  if (before === undefined || deploymentFileOf({ env, folder: session.folder }) !== undefined)
    return { env, ignored };
  if (before.config !== null) return { env: { ...env, FEDLOOP_CONFIG: before.config }, ignored };
  const isNamed = (env['FEDLOOP_FLEET'] ?? '') !== '';
  return { env: isNamed ? env : { ...env, FEDLOOP_FLEET: before.fleet }, ignored };
}

/** @throws FedloopError `InvalidConfig` when a run is to go on as another fleet. */
function refuseOtherFleet(
  run: RunFolder | undefined,
  before: RememberedRun | undefined,
  { env }: Deployed,
): void {
  const { FEDLOOP_FLEET: fleet } = readEnvironment(env);
  if (run === undefined || before === undefined || before.fleet === fleet) return;
  throw new FedloopError(
    'InvalidConfig',
    `run ${run.id} is of the fleet ${before.fleet}, and cannot go on as the fleet ${fleet}`,
    { hint: 'Leave --config and FEDLOOP_FLEET out, or start a new run without --resume.' },
  );
}

/** The simulated fleet: the one that an earlier run had, else the one that the options describe, if any. */
async function simulationOf(
  { folder }: Session,
  options: UpOptions,
  given: GivenOptions,
  earlier: { readonly before: RememberedRun; readonly id: string } | undefined,
): Promise<FleetSettings | undefined> {
  if (earlier === undefined)
    return options.fleet === true
      ? settingsOf(options, await dataFolder(folder, options.data)).fleet
      : undefined;
  return resumedFleet(earlier.id, earlier.before, {
    fleet: options.fleet === true,
    ...(given.has('devices') ? { devices: options.devices } : {}),
    ...(given.has('data') ? { data: await dataFolder(folder, options.data) } : {}),
    ...(given.has('seed') ? { seed: options.seed } : {}),
  });
}

function settingsOf(options: UpOptions, data: string): DemoSettings {
  return demoSettings({
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

/** The run to go on with. @throws FedloopError `NotFound` for one that does not exist. */
async function earlierRun(session: Session, { resume }: UpOptions): Promise<RunFolder | undefined> {
  if (resume === undefined) return undefined;
  const run = namedRun(session.folder, resume);
  if (await hasBegun(run)) return run;
  throw new FedloopError('NotFound', `there is no run ${run.id} to go on with`, {
    hint: `Runs lie in ${session.folder}/runs; leave --resume out for a new one.`,
  });
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
  readonly simulation: FleetSettings | undefined;
  readonly before: RememberedRun | undefined;
}

/** Bring everything up and keep it up until the session is aborted. */
async function holdSystem(session: Session, start: Start): Promise<void> {
  const { options, run, simulation, before } = start;
  const settings = settingsOf(options, options.data);
  const system = await startSystem({
    session,
    run,
    before,
    ends: 'start again',
    roles: ({ source }) => [
      ...deploymentRoles(source),
      ...(simulation === undefined ? [] : (['fleet'] as const)),
    ],
    deployment: wantedDeployment(session, start, settings.stream),
    ports: await portsOf(session, options, before),
    prepare: (processes) =>
      simulation === undefined
        ? Promise.resolve({})
        : planFleet(session, processes, { ...settings, fleet: simulation }, run),
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

/** Where the servers listen: where the user says, else where they did before, else anywhere. */
async function portsOf(
  { progress }: Session,
  { kafkaPort, temporalPort, uiPort }: UpOptions,
  before: RememberedRun | undefined,
): Promise<NonNullable<ServersStart['ports']>> {
  const had = before?.ports;
  return {
    kafka: kafkaPort ?? (await hadPort('Kafka', had?.kafka, progress)),
    temporal: temporalPort ?? (await hadPort('Temporal', had?.temporal, progress)),
    temporalUi: uiPort ?? (await hadPort('Temporal’s UI', had?.temporalUi, progress)),
    temporalMetrics: await hadPort('Temporal’s metrics', had?.temporalMetrics, progress),
  };
}
