import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../cli/servers/cache';
import { startServers } from '../../cli/servers/servers';
import { packageRoot } from '../../cli/shared/package-root';
import { Processes } from '../../cli/processes/processes';
import { createProgress } from '../../cli/progress';
import { rememberServers } from './running-servers';

/**
 * jest's globalSetup: real Kafka and Temporal, once for a whole test run. Tests find them through the environment
 * (KAFKA_BROKERS, TEMPORAL_ADDRESS), and so does any process that a test starts; servers that the environment names
 * already are used as they are. Tests share them and keep apart by topic prefix and workflow id.
 */
export default async function startTestServers(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fedloop-servers-'));
  const processes = Processes.start();
  const progress = createProgress();
  process.env['FEDLOOP_CACHE'] ??= join(packageRoot(), '.fedloop');
  try {
    const servers = await startServers({
      env: process.env,
      cache: cacheFolder(),
      folder,
      logFolder: join(folder, 'logs'),
      processes,
      progress,
    });
    for (const name of Object.keys(process.env))
      if (servers.env[name] === undefined) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, servers.env);
    rememberServers({ processes, folder });
  } catch (cause) {
    await processes.stopAll(0);
    throw cause;
  } finally {
    progress.stop();
  }
}
