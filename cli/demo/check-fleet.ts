import { z } from 'zod';
import { FedloopError, isErrorCode, messageOf } from '../../core/contracts/errors';
import { FLEET_VARIABLE } from '../../fleet/settings';
import { packageFile } from '../shared/package-root';
import { type Processes } from '../processes/processes';
import { runTool } from '../servers/tool';
import { type DemoSettings } from './settings';

/** The one line that the check prints on stdout. */
const checkedFleetSchema = z.union([
  z.object({ devices: z.int() }),
  z.object({
    code: z.string().refine(isErrorCode),
    message: z.string(),
    hint: z.string().optional(),
    stack: z.string().optional(),
  }),
]);
export type CheckedFleet = z.infer<typeof checkedFleetSchema>;

/**
 * Plan the fleet once, so that unusable data is reported before anything takes long. In a separate process, because reading years
 * of series takes seconds of computing, which would block this process, and memory, which it would keep.
 * @returns the number of devices.
 * @throws FedloopError as `loadFleet`
 */
export async function checkFleet(
  processes: Processes,
  settings: DemoSettings,
  logFile: string,
): Promise<number> {
  const lines = await runTool({
    processes,
    name: 'planning the fleet',
    program: process.execPath,
    args: [packageFile('dist', 'cli', 'demo', 'check-fleet-process.js')],
    env: {
      ...process.env,
      [FLEET_VARIABLE]: JSON.stringify({ fleet: settings.fleet, stream: settings.stream }),
    },
    logFile,
  });
  const checked = checkedFleetSchema.parse(JSON.parse(lines.at(-1) ?? 'null'));
  if ('devices' in checked) return checked.devices;
  throw new FedloopError(checked.code, checked.message, {
    ...(checked.hint === undefined ? {} : { hint: checked.hint }),
    cause: new Error(checked.stack),
  });
}

/** An error as the check prints it. */
export function describeFault(thrown: unknown): CheckedFleet {
  if (!(thrown instanceof FedloopError)) return { code: 'Internal', message: messageOf(thrown) };
  return {
    code: thrown.code,
    message: thrown.message,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
    ...(thrown.stack === undefined ? {} : { stack: thrown.stack }),
  };
}
