import { type Command } from 'commander';
import { outColours as pc } from '../colours';
import { listStrategies, settingsFor } from '../../core/federation/strategies';
import { jsonOption } from '../options';
import { withSession } from '../session';

interface StrategyInfo {
  readonly name: string;
  readonly summary: string;
  readonly formula: string;
  readonly paper: string | null;
  /** Defaults of its settings. */
  readonly settings: Readonly<Record<string, number>>;
}

/** `fedloop strategies`: how updates can be aggregated. */
export function registerStrategies(program: Command): void {
  program
    .command('strategies')
    .summary('how updates can be aggregated')
    .description(
      'Every strategy with its formula, its source and the settings that `strategySettings` of a round’s input takes.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession((session) => {
        const strategies = listStrategies().map(describe);
        session.out(
          options.json === true
            ? `${JSON.stringify(strategies, null, 2)}\n`
            : strategies.map(render).join('\n'),
        );
        return Promise.resolve();
      }),
    );
}

function describe(strategy: ReturnType<typeof listStrategies>[number]): StrategyInfo {
  const { name, summary, formula, paper } = strategy;
  return { name, summary, formula, paper, settings: settingsFor(strategy, {}) };
}

function render({ name, summary, formula, paper, settings }: StrategyInfo): string {
  const values = Object.entries(settings).map(([setting, value]) => `${setting} = ${value}`);
  const lines = [
    summary,
    formula,
    ...(paper === null ? [] : [pc.dim(paper)]),
    ...(values.length === 0 ? [] : [`settings: ${values.join(', ')}`]),
  ];
  return `${pc.bold(name)}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
