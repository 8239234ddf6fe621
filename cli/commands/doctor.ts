import { type Command } from 'commander';
import { outColours as pc } from '../colours';
import { FedloopError } from '../../core/contracts/errors';
import { examine, type Finding } from '../doctor';
import { jsonOption } from '../options';
import { withSession } from '../session';

/** `fedloop doctor`: is everything here that a demo needs? */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('check that everything needed is here')
    .description(
      'Check Node, Java, Maven, Go, Temporal, Prometheus, ports, disk, memory, the system that runs here and the servers that the environment names; say what to do.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const findings = await examine(session);
        session.out(
          options.json === true
            ? `${JSON.stringify(findings, null, 2)}\n`
            : findings.map(renderFinding).join(''),
        );
        const missing = findings.filter(({ state }) => state === 'missing');
        if (missing.length > 0) {
          throw new FedloopError(
            'ServerUnavailable',
            `${missing.length === 1 ? '1 thing is' : `${missing.length} things are`} missing`,
            {
              hint: 'See above for what to do.',
            },
          );
        }
      }),
    );
}

function renderFinding({ state, name, text, advice }: Finding): string {
  const sign = { fine: pc.green('✓'), hint: pc.yellow('!'), missing: pc.red('✗') }[state];
  const more = advice === undefined ? '' : `\n    ${pc.dim(advice)}`;
  return `${sign} ${name.padEnd(10)} ${text}${more}\n`;
}
