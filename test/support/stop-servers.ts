import { rm } from 'node:fs/promises';
import { LIMITS } from '../../cli/shared/limits';
import { rememberedServers } from './running-servers';

/** jest's globalTeardown: stop what `start-servers` started. A run that is killed leaves that to the supervisor. */
export default async function stopTestServers(): Promise<void> {
  const servers = rememberedServers();
  if (servers === undefined) return;
  await servers.processes.stopAll(LIMITS.interruptedGraceMillis);
  await rm(servers.folder, { recursive: true, force: true });
}
