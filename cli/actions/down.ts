import { LIMITS } from '../shared/limits';
import { poll } from '../shared/wait';
import { isAlive } from '../processes/identity';
import { claimOf, type Claim } from '../system/claim-folder';
import { stopDaemon } from '../system/daemon';
import { describeEnded, endLeftovers, lookForSystem, type RunningSystem } from '../system/running';
import { type Session } from '../system/session';

/** `fedloop down`: stop what `fedloop up` has started, and nothing else. */
export async function down(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const known = await lookForSystem(session.folder);
  const unpublished = known.is === 'none' ? await claimOf(session.folder) : undefined;
  const stopped = known.is === 'running' ? known.system.id : (unpublished?.id ?? null);
  const text =
    known.is === 'none'
      ? await stopUnpublished(session, unpublished)
      : known.is === 'running'
        ? await stopSystem(session, known.system)
        : await clearAway(session, known.system);
  session.out(json === true ? `${JSON.stringify({ stopped })}\n` : `${text}\n`);
}

/** A system that is starting, or whose entry was damaged: the claim on the folder names its process. */
async function stopUnpublished(session: Session, claim: Claim | undefined): Promise<string> {
  if (claim === undefined) return 'nothing is running in this folder';
  const step = session.progress.step(`Stopping run ${claim.id}`);
  await stopDaemon(claim);
  step.done();
  return `stopped run ${claim.id}; \`fedloop up --resume ${claim.id}\` continues it`;
}

async function stopSystem(session: Session, system: RunningSystem): Promise<string> {
  const step = session.progress.step(`Stopping run ${system.id}`);
  try {
    await stopDaemon(system);
    // A daemon that had to be killed leaves its processes to its supervisor.
    await poll(() => Promise.resolve(system.processes.some(isAlive) ? undefined : true), {
      everyMillis: LIMITS.readyPollMillis,
      timeoutMillis: 2 * LIMITS.supervisorGraceMillis,
    });
    await endLeftovers(session.folder, system);
  } catch (cause) {
    step.fail();
    throw cause;
  }
  step.done();
  return `stopped run ${system.id}; \`fedloop up --resume ${system.id}\` continues it`;
}

/** What a reboot or the death of its daemon has left: an entry, and at worst processes that nobody looks after. */
async function clearAway(session: Session, system: RunningSystem): Promise<string> {
  const ended = describeEnded(system);
  const left = await endLeftovers(session.folder, system);
  return left.length === 0
    ? `nothing is running in this folder: ${ended}`
    : `stopped what was left (${left.join(', ')}): ${ended}`;
}
