import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFile } from '../../cli/shared/package-root';
import { type Processes } from '../../cli/processes/processes';
import { type Progress } from '../../cli/progress';
import { obtainOnce } from '../../cli/servers/cache';
import { isExecutable, onPath, runTool } from '../../cli/servers/tool';
import { FedloopError } from '../../core/contracts/errors';

/** Connector jars of other patch versions could not be had. */
const PYSPARK = 'pyspark==4.0.0';

export interface Spark {
  readonly python: string;
  /** Folder of the Kafka connector's jars. */
  readonly jars: string;
}

/**
 * PySpark in a virtual environment of its own and the connector's jars, kept in the cache (some 800 MB, once).
 * @throws FedloopError `ServerUnavailable` without Python or Maven, or when something cannot be fetched.
 */
export async function obtainSpark(cache: string, processes: Processes, progress: Progress): Promise<Spark> {
  const folder = join(cache, 'spark-4.0.0');
  const spark = { python: join(folder, 'venv', 'bin', 'python'), jars: join(folder, 'jars') };
  return obtainOnce({
    cache,
    name: 'spark-4.0.0',
    find: async () => ((await isComplete(spark)) ? spark : undefined),
    onWait: () => {
      progress.note('Another process is fetching Spark; waiting for it.');
    },
    obtain: async () => {
      const [python, maven] = await Promise.all([onPath('python3'), onPath('mvn')]);
      if (python === undefined || maven === undefined) {
        throw new FedloopError(
          'ServerUnavailable',
          `${python === undefined ? 'Python 3' : 'Maven'} is missing, which fetches Spark`,
          { hint: 'Install Python 3 with venv, and Maven; or leave out `--peer spark`.' },
        );
      }
      const step = progress.step('Fetching PySpark 4.0.0 and its Kafka connector');
      const run = (name: string, program: string, args: readonly string[]): Promise<unknown> =>
        runTool({
          processes,
          name,
          program,
          args,
          env: process.env,
          logFile: join(cache, 'spark-4.0.0.log'),
        });
      try {
        await rm(folder, { recursive: true, force: true });
        await run('venv', python, ['-m', 'venv', join(folder, 'venv')]);
        await run('pip', spark.python, ['-m', 'pip', 'install', '--quiet', PYSPARK]);
        // Moved into place whole: the jars are what tells that all of it is there.
        await run('Maven', maven, [
          '--batch-mode',
          '--file',
          packageFile('bench', 'stream', 'spark', 'pom.xml'),
          'dependency:copy-dependencies',
          '-DincludeScope=runtime',
          `-DoutputDirectory=${spark.jars}.partial`,
        ]);
        await rename(`${spark.jars}.partial`, spark.jars);
      } catch (cause) {
        step.fail();
        throw cause;
      }
      step.done();
      return spark;
    },
  });
}

async function isComplete({ python, jars }: Spark): Promise<boolean> {
  const names = await readdir(jars).catch(() => []);
  return names.some((name) => name.startsWith('spark-sql-kafka')) && isExecutable(python);
}
