import { outColours as pc } from '../shared/colours';
import { listStrategies } from '../../core/federation/strategies';
import { type Session } from '../system/session';

interface StrategyInfo {
  readonly name: string;
  readonly summary: string;
  readonly formula: string;
  readonly paper: string | null;
  /** Defaults of its settings. */
  readonly settings: Readonly<Record<string, number>>;
}

/** `fedloop strategies`: how updates can be aggregated. */
export function strategies(session: Session, { json }: { readonly json?: boolean }): void {
  const all = listStrategies().map(describe);
  session.out(json === true ? `${JSON.stringify(all, null, 2)}\n` : all.map(render).join('\n'));
}

function describe({
  name,
  summary,
  formula,
  paper,
  settings,
}: ReturnType<typeof listStrategies>[number]): StrategyInfo {
  return { name, summary, formula, paper, settings: settings.parse({}) };
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
