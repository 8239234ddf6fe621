import { outColours as pc } from '../shared/colours';
import { FedloopError } from '../../core/contracts/errors';
import { examine, type Finding } from '../status/doctor';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';

/**
 * `fedloop doctor`: print what was found.
 * @throws FedloopError `ServerUnavailable` when something is missing.
 */
export async function doctor(session: Session, { json }: { readonly json?: boolean }): Promise<void> {
  const findings = await unlessAborted(examine(session), session.signal);
  session.out(
    json === true ? `${JSON.stringify(findings, null, 2)}\n` : findings.map(renderFinding).join(''),
  );
  const missing = findings.filter(({ state }) => state === 'missing');
  if (missing.length > 0) {
    throw new FedloopError(
      'ServerUnavailable',
      `${missing.length === 1 ? '1 thing is' : `${missing.length} things are`} missing`,
      { hint: 'See above for what to do.' },
    );
  }
}

function renderFinding({ state, name, text, advice }: Finding): string {
  const sign = { fine: pc.green('✓'), hint: pc.yellow('!'), missing: pc.red('✗') }[state];
  const more = advice === undefined ? '' : `\n    ${pc.dim(advice)}`;
  return `${sign} ${name.padEnd(10)} ${text}${more}\n`;
}
