import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { packageFile } from '../shared/package-root';
import { type Processes } from '../processes/processes';
import { type RunFolder } from '../system/run-folder';
import { type Session } from '../system/session';
import { FLEET_VARIABLE } from '../../fleet/settings';
import { checkFleet } from './check-fleet';
import { type DemoSettings } from './settings';

/** Check the fleet's settings. @returns the variables from which the fleet's worker plans the same fleet. */
export async function planFleet(
  session: Session,
  processes: Processes,
  settings: DemoSettings,
  run: RunFolder,
): Promise<NodeJS.ProcessEnv> {
  const step = session.progress.step('Planning the fleet');
  try {
    const devices = await checkFleet(processes, settings, join(run.logs, 'fleet-plan.log'));
    step.done(`${devices.toLocaleString('en')} devices`);
  } catch (cause) {
    step.fail(processes.failure);
    throw cause;
  }
  return { [FLEET_VARIABLE]: JSON.stringify(settings.fleet) };
}

/** The folder as given, else of that name in the package: sample data is found from any working folder. */
export async function dataFolder(folder: string, data: string): Promise<string> {
  for (const path of [join(folder, data), packageFile(data)]) {
    if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return path;
  }
  if ((await stat(data).catch(() => undefined)) !== undefined) return data;
  throw new FedloopError('InvalidData', `there is no data folder ${data}`, {
    hint: 'Give --data a folder of CSV or Parquet files with device_id, timestamp and temperature.',
  });
}
