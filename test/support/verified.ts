import { type VerificationReport } from '../../core/warehouse/verify/verification';
import { type StreamSystem } from './stream-system';

/** Compare every row with the event log, at a running analytics worker; the test fails with what the command says where any differs. */
export async function verifiedAt(system: StreamSystem, analytics: string): Promise<VerificationReport> {
  const { code, out, err } = await system.command(
    'verify',
    '--analytics',
    analytics,
    '--json',
    '--wait',
    '60s',
  );
  expect({ code, out: code === 0 ? '' : out, err: code === 0 ? '' : err }).toEqual({
    code: 0,
    out: '',
    err: '',
  });
  return JSON.parse(out) as VerificationReport;
}
