import { CommanderError } from 'commander';
import { createProgram } from '../../../cli/main';
import { demoSettings, type DemoOptions } from '../../../cli/demo/settings';

/** What the command says when it does nothing else. */
async function refusal(...args: string[]): Promise<string> {
  const program = createProgram();
  const said: string[] = [];
  for (const command of [
    program,
    ...program.commands,
    ...program.commands.flatMap(({ commands }) => commands),
  ]) {
    command
      .configureOutput({ writeErr: (text) => said.push(text), writeOut: (text) => said.push(text) })
      .exitOverride();
  }
  await expect(program.parseAsync(['node', 'fedloop', ...args])).rejects.toBeInstanceOf(CommanderError);
  return said.join('');
}

describe('the fedloop command', () => {
  it.each([
    [['demo', '--strategy', 'fedsomething'], 'closed-loop'],
    [['demo', '--clock', 'both'], 'independent, shared'],
    [['demo', '--rounds', '0'], 'whole number from 1'],
    [['demo', '--devices', 'many'], 'whole number'],
    [['demo', '--speed', 'slow'], '"max" or a number above 0'],
    [['demo', '--participants', '-3'], '"all" or a whole number'],
    [['demo', '--tolerance', '0'], 'number above 0'],
    [['demo', '--ui-port', '70000'], 'from 1 to 65535'],
    [['demo', '--config', 'pumps.yaml'], '`fedloop up --config` starts the fleet of a file'],
    [['worker', 'cook'], 'rounds, site, stream, analytics, ingest, fleet'],
    [['round', 'start', '--input', '{participants}'], 'not JSON'],
    [['demos'], 'Did you mean demo?'],
    [['help', 'round', 'begin'], "unknown command 'begin'"],
    [['sql', 'SELECT 1', '--json', '--csv'], 'cannot be used with'],
  ])('refuses %j and says what would do', async (args, told) => {
    expect(await refusal(...args)).toContain(told);
  });

  it.each([
    [['help'], 'Usage: fedloop [options]'],
    [['help', 'round'], 'Usage: fedloop round [options]'],
    [['help', 'round', 'start'], 'Usage: fedloop round start [options]'],
  ])('prints the help of what %j names', async (args, told) => {
    expect(await refusal(...args)).toContain(told);
  });

  it('shows its commands in groups, with examples and exit codes', async () => {
    const help = await refusal('--help');
    for (const part of ['See it work:', 'Look:', 'Examples:', 'Exit codes:', '130'])
      expect(help).toContain(part);
  });
});

describe('the settings of a demo', () => {
  const options: DemoOptions = {
    rounds: 5,
    devices: 2_407,
    data: 'data/weather',
    seed: 7,
    speed: 'max',
    clock: 'independent',
    participants: 'all',
    strategy: 'closed-loop',
    tolerance: 0.5,
    windows: 6,
  };

  it('hands the seed and the tolerance to everyone who needs them', () => {
    const { fleet, training, stream } = demoSettings(options);
    expect([fleet.seed, training.round.seed, stream.task.target.tolerance]).toEqual([7, 7, 0.5]);
  });

  it('plans enough live windows for its rounds, and more when it stays up', () => {
    const { fleet } = demoSettings(options);
    expect(fleet.liveWindows).toBeGreaterThan(5 * 6);
    expect(demoSettings({ ...options, stay: true }).fleet.liveWindows).toBeGreaterThan(fleet.liveWindows);
  });
});
