import { Argument, type Command } from 'commander';
import { requireBuilt, workerProgram, WORKER_ROLES, type WorkerRole } from '../system/worker-process';

/** `fedloop worker <role>`: one process of a deployment. */
export function registerWorker(program: Command): void {
  program
    .command('worker')
    .summary('run one process of a deployment')
    .description(
      'Run a worker in this process until SIGTERM or Ctrl-C. Everything is set by environment variables:\n' +
        'KAFKA_BROKERS, TEMPORAL_ADDRESS and their relatives, FEDLOOP_* (see README.md). One role is one process;\n' +
        'all = rounds, site, stream and analytics as processes under this one, and ingest where the source needs it.',
    )
    .addArgument(new Argument('<role>', 'what it does').choices([...WORKER_ROLES, 'all']))
    .action(runWorker);
}

/** The worker takes over this process with its signals, standard output and exit code. */
async function runWorker(role: WorkerRole | 'all'): Promise<never> {
  await requireBuilt();
  process.argv.splice(2, process.argv.length, role);
  await import(workerProgram());
  return new Promise<never>(() => undefined);
}
