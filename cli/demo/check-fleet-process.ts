import { z } from 'zod';
import { streamSettingsSchema } from '../../core/contracts/settings';
import { parseOrThrow } from '../../core/contracts/validation';
import { loadFleet } from '../../fleet/service';
import { FLEET_VARIABLE, fleetSettingsSchema } from '../../fleet/settings';
import { silentLogger } from '../../core/platform/log';
import { describeFault, type CheckedFleet } from './check-fleet';

/** The process that `checkFleet` starts. It prints exactly one line on stdout, also after a failure. */
async function check(): Promise<CheckedFleet> {
  const settings: unknown = JSON.parse(process.env[FLEET_VARIABLE] ?? 'null');
  const { fleet, stream } = parseOrThrow(
    z.object({ fleet: fleetSettingsSchema, stream: streamSettingsSchema }),
    settings,
    FLEET_VARIABLE,
  );
  const { plan } = await loadFleet(fleet, stream, silentLogger());
  return { devices: plan.devices.length };
}

void check()
  .catch(describeFault)
  .then((checked) => {
    process.stdout.write(`${JSON.stringify(checked)}\n`);
  });
