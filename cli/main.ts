import { resolve } from 'node:path';
import { Command } from 'commander';
import { errorColours as pc } from './shared/colours';
import { registerBacktest } from './commands/backtest';
import { registerBatch } from './commands/batch';
import { registerCheck } from './commands/check';
import { registerDashboard } from './commands/dashboard';
import { registerDemo } from './commands/demo';
import { registerDoctor } from './commands/doctor';
import { registerInit } from './commands/init';
import { registerHistory } from './commands/history';
import { registerKeys } from './commands/keys';
import { registerModels } from './commands/models';
import { registerDown } from './commands/down';
import { registerRejects } from './commands/rejects';
import { registerReplay } from './commands/replay';
import { registerReport } from './commands/report';
import { registerRound } from './commands/round';
import { registerSchedule } from './commands/schedule';
import { registerSettings } from './commands/settings';
import { registerSql } from './commands/sql';
import { registerStatus } from './commands/status';
import { registerStream } from './commands/stream';
import { registerStrategies } from './commands/strategies';
import { registerStrategy } from './commands/strategy';
import { registerVerify } from './commands/verify';
import { registerUp } from './commands/up';
import { registerWarehouse } from './commands/warehouse';
import { registerWatch } from './commands/watch';
import { registerWorker } from './commands/worker';
import { describeFailure, EXIT_CODES } from './shared/fail';
import { outputFlushed } from './shared/standard-output';
import { packageVersion } from './shared/package-root';

const EXAMPLES = `
Examples:
  $ fedloop demo                                   five measured rounds with a fleet of 2,407 devices
  $ fedloop demo --devices 200 --rounds 2 --stay   a small one that stays up
  $ fedloop up --fleet && fedloop round start --wait && fedloop report && fedloop down
  $ fedloop round start --wait --input '{"participants": 20}'
  $ fedloop models list                            versions, their stages and their real accuracy
  $ fedloop sql "SELECT * FROM model_scoreboard"   of the running system, else of the latest run
`;

/** The whole command, ready to parse. */
export function createProgram(): Command {
  const program = new Command('fedloop')
    .description(
      'Closed-loop federated learning for sensor fleets: every model version is measured on readings it had not seen.',
    )
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .option('--verbose', 'show stack traces and causes of errors')
    .option(
      '--config <file>',
      'deployment file of the fleet (default: FEDLOOP_CONFIG, else fedloop.yaml of this folder)',
    )
    .hook('preAction', (_, command) => {
      nameDeploymentFile(command);
    })
    .configureOutput({
      outputError: (text, write) => {
        write(text.replace(/^error:/, pc.red('error:')));
      },
    })
    .showSuggestionAfterError()
    .showHelpAfterError('       Run it with --help to see what it takes.')
    .exitOverride()
    .addHelpText('after', EXAMPLES)
    .addHelpText('after', `Exit codes:\n${exitCodes()}\n`);
  program.commandsGroup('See it work:');
  registerDemo(program);
  registerUp(program);
  registerDown(program);
  program.commandsGroup('Describe your fleet:');
  registerInit(program);
  registerCheck(program);
  program.commandsGroup('Train and count:');
  registerRound(program);
  registerSchedule(program);
  registerSettings(program);
  registerBatch(program);
  registerHistory(program);
  registerStrategies(program);
  registerStrategy(program);
  program.commandsGroup('Look:');
  registerStatus(program);
  registerModels(program);
  registerWatch(program);
  registerReport(program);
  registerSql(program);
  registerWarehouse(program);
  registerReplay(program);
  registerBacktest(program);
  registerRejects(program);
  registerDashboard(program);
  registerVerify(program);
  registerDoctor(program);
  registerHelp(program);
  program.commandsGroup('Deploy:');
  registerWorker(program);
  registerStream(program);
  registerKeys(program);
  return program;
}

/** For all that a command starts, `--config` is `FEDLOOP_CONFIG`. */
function nameDeploymentFile(command: Command): void {
  const { config } = command.optsWithGlobals<{ config?: string }>();
  if (config === undefined) return;
  if (command.name() === 'demo')
    command.error('error: the demo simulates its fleet; `fedloop up --config` starts the fleet of a file');
  process.env['FEDLOOP_CONFIG'] = resolve(config);
}

/** Commander's own `help` knows one level of commands: `help round start` would print the help of `round`. */
function registerHelp(program: Command): void {
  program
    .helpCommand(false)
    .command('help')
    .argument('[command...]')
    .summary('print the help of a command')
    .description('Print the help of a command, such as `fedloop help round start`.')
    .action((names: readonly string[]) => {
      let command = program;
      for (const name of names) {
        const inner = command.commands.find((one) => one.name() === name);
        if (inner === undefined) return command.error(`error: unknown command '${name}'`);
        command = inner;
      }
      command.help();
    });
}

function exitCodes(): string {
  return Object.entries(EXIT_CODES)
    .map(([code, meaning]) => `  ${code.padStart(3)}  ${meaning}`)
    .join('\n');
}

/** Run the command that this process was started with, and end the process with its exit code. */
export async function run(): Promise<never> {
  // A log on a full disk must not end the system that a daemon keeps up.
  process.stderr.on('error', () => undefined);
  const program = createProgram();
  const fail = (thrown: unknown): never => {
    const failure = describeFailure(thrown, program.opts<{ verbose?: boolean }>().verbose === true);
    process.stderr.write(failure.text);
    process.exit(failure.exitCode);
  };
  // A reader that closes the pipe early (`fedloop sql … | head`) is not an error.
  process.stdout.on('error', (cause: NodeJS.ErrnoException) =>
    cause.code === 'EPIPE' ? process.exit(0) : fail(cause),
  );
  process.on('uncaughtException', fail);
  try {
    await program.parseAsync();
    await outputFlushed();
  } catch (thrown) {
    fail(thrown);
  }
  // Work that still runs is not waited for: the supervisor ends the processes.
  process.exit(0);
}
