import { realpath } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { ownStrategySchema, packageOf, strategyNameSchema } from '../../core/contracts/strategies';
import { strategyByName } from '../../core/federation/strategies';
import {
  locateStrategy,
  moduleAt,
  type StrategyModule,
} from '../../core/federation/strategies/own/module-file';
import { checkStrategy, type CheckResult } from '../../core/federation/strategy-check/check-strategy';
import { builtInSubject, ownSubject, type Subject } from '../../core/federation/strategy-check/subjects';
import { readEnvironment } from '../../core/platform/config';
import { outColours as pc } from '../shared/colours';
import { counted } from '../shared/format';
import { type Session } from '../system/session';

export interface StrategyCheckOptions {
  readonly json?: true;
}

/** A person waits. A round has more patience. */
const LIMITS = { prints: true, stepLimitMillis: 20_000 } as const;

/**
 * `fedloop strategy check`: hold a strategy to what a round needs of it.
 * @param named a file, `package:NAME`, or one of Fedloop's
 * @throws FedloopError `StrategyFailed` when a check fails
 */
export async function strategyCheck(
  session: Session,
  named: string,
  { json }: StrategyCheckOptions,
): Promise<void> {
  const { subject, sha256 } = await subjectOf(named);
  const checks = await checkStrategy(subject);
  session.out(
    json === true
      ? `${JSON.stringify({ strategy: subject.name, sha256, checks }, null, 2)}\n`
      : [titleOf(subject.name, sha256), ...checks.map(render)].join(''),
  );
  const failed = checks.filter(({ state }) => state === 'failed').length;
  if (failed === 0) return;
  throw new FedloopError(
    'StrategyFailed',
    `${subject.name} fails ${counted(failed, 'check')} of ${checks.length}`,
  );
}

async function subjectOf(
  named: string,
): Promise<{ readonly subject: Subject; readonly sha256: string | null }> {
  const known = strategyNameSchema.safeParse(named);
  if (known.success) return { subject: builtInSubject(strategyByName(known.data)), sha256: null };
  const module = await moduleOf(named);
  return { subject: ownSubject(module, {}, LIMITS), sha256: module.sha256 };
}

/** A package of the folder that the environment names, else of this one; a file wherever it lies. */
async function moduleOf(named: string): Promise<StrategyModule> {
  const own = ownStrategySchema.safeParse(named);
  if (own.success && packageOf(own.data) !== undefined)
    return locateStrategy(readEnvironment().FEDLOOP_STRATEGIES ?? process.cwd(), own.data);
  const file = await realpath(resolve(named)).catch((cause: unknown) => {
    throw new FedloopError('NotFound', `there is no strategy ${named}`, {
      hint: 'Name a file, package:NAME, or one of `fedloop strategies`.',
      cause,
    });
  });
  return moduleAt(`./${basename(file)}`, dirname(file), file);
}

function titleOf(name: string, sha256: string | null): string {
  return `${pc.bold(name)}${sha256 === null ? '' : pc.dim(` sha256 ${sha256}`)}\n`;
}

const SIGNS: Readonly<Record<CheckResult['state'], string>> = {
  passed: pc.green('✓'),
  refused: pc.yellow('!'),
  failed: pc.red('✗'),
};

function render({ check, state, text }: CheckResult): string {
  return `${SIGNS[state]} ${check.padEnd(16)} ${text}\n`;
}
