import { stat } from 'node:fs/promises';
import { FedloopError } from '../../core/contracts/errors';
import { dataFolder, planFleet } from '../demo/plan-fleet';
import { demoSettings } from '../demo/settings';
import { renderLinks } from '../demo/links';
import { startDaemon } from '../system/daemon';
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

/** Bring the system up, in this process or in a daemon. */
export async function up(session: Session, options: UpOptions): Promise<void> {
  await requireBuilt();
  await requireNoneRunning(session.folder);
  const run = await folderOf(session, options);
  if (options.foreground === true) {
    await holdSystem(session, options, run);
    return;
  }
  const system = await startDaemon(session, run);
  session.out(
    options.json === true
      ? `${JSON.stringify(system, null, 2)}\n`
      : `up: run ${system.id} (stop it with \`fedloop down\`)\n`,
  );
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

/** Bring everything up and keep it up until the session is aborted. */
async function holdSystem(session: Session, options: UpOptions, run: RunFolder): Promise<void> {
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
    roles: [
      ...deploymentRoles(settings.stream.source),
      ...(options.fleet === true ? (['fleet'] as const) : []),
    ],
    settings: settings.stream,
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
