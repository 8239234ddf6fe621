import { type Command } from 'commander';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop doctor`: is everything here that a demo needs? */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check that everything needed is here')
    .description(
      'Check Node, Java, Maven, Go, Temporal, Prometheus, ports, disk, memory, the system that runs here and the servers that the environment names, with advice for each problem. A damaged cache is mended.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const { doctor } = await import('../actions/doctor.js');
        await doctor(session, options);
      }),
    );
}
