import { LIMITS } from '../shared/limits';
import { poll } from '../shared/wait';
import { isAlive } from '../processes/identity';
import { claimOf } from '../system/claim-folder';
import { stopDaemon } from '../system/daemon';
import { describeEnded, endLeftovers, lookForSystem, type RunningSystem } from '../system/running';
import { type Session } from '../system/session';

/** `fedloop down`: stop what `fedloop up` has started, and nothing else. */
export async function down(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const known = await lookForSystem(session.folder);
  // It is starting, or its entry is damaged: the claim on the folder names its process.
  const unpublished = known.is === 'none' ? await claimOf(session.folder) : undefined;
  const stopped = known.is === 'running' ? known.system.id : (unpublished?.id ?? null);
  const text =
    known.is === 'running'
      ? await stopping(session, known.system.id, () => stopSystem(session, known.system))
      : known.is === 'ended'
        ? await clearAway(session, known.system)
        : unpublished === undefined
          ? 'nothing is running in this folder'
          : await stopping(session, unpublished.id, () => stopDaemon(unpublished));
  session.out(json === true ? `${JSON.stringify({ stopped })}\n` : `${text}\n`);
}

/** @returns what was stopped, and how to go on with it. */
async function stopping(session: Session, id: string, stop: () => Promise<void>): Promise<string> {
  const step = session.progress.step(`Stopping run ${id}`);
  try {
    await stop();
  } catch (cause) {
    step.fail();
    throw cause;
  }
  step.done();
  return `stopped run ${id}; \`fedloop up --resume ${id}\` continues it`;
}

async function stopSystem(session: Session, system: RunningSystem): Promise<void> {
  await stopDaemon(system);
  // A daemon that had to be killed leaves its processes to its supervisor.
  await poll(() => Promise.resolve(system.processes.some(isAlive) ? undefined : true), {
    everyMillis: LIMITS.readyPollMillis,
    timeoutMillis: 2 * LIMITS.supervisorGraceMillis,
  });
  await endLeftovers(session.folder, system);
}

/** What a reboot or the death of its daemon has left: an entry, and at worst processes that nobody looks after. */
async function clearAway(session: Session, system: RunningSystem): Promise<string> {
  const ended = describeEnded(system);
  const left = await endLeftovers(session.folder, system);
  return left.length === 0
    ? `nothing is running in this folder: ${ended}`
    : `stopped what was left (${left.join(', ')}): ${ended}`;
}
