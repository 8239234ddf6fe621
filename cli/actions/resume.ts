import { FedloopError } from '../../core/contracts/errors';
import { parseJson, parseOrThrow } from '../../core/contracts/validation';
import { fleetSettingsSchema, type FleetSettings } from '../../fleet/settings';
import { type RememberedRun } from '../system/remembered-run';

/** The simulated fleet that a command asks for, as far as the user has named it. */
export interface AskedFleet {
  readonly fleet: boolean;
  readonly devices?: number;
  /** The folder itself. */
  readonly data?: string;
  readonly seed?: number;
}

/**
 * The simulated fleet of a run that is gone on with: the one that it had. Another one would send other readings as the same devices.
 * @returns undefined for a run without one.
 * @throws FedloopError `InvalidConfig` when another one is asked for.
 */
export function resumedFleet(
  id: string,
  { simulation }: Pick<RememberedRun, 'simulation'>,
  asked: AskedFleet,
): FleetSettings | undefined {
  const had =
    simulation === null
      ? undefined
      : parseOrThrow(
          fleetSettingsSchema,
          parseJson(simulation),
          `the simulated fleet of run ${id}`,
          'InvalidConfig',
        );
  const names = (['devices', 'data', 'seed'] as const).filter((name) => asked[name] !== undefined);
  if (had === undefined) {
    const option = asked.fleet ? 'fleet' : names.at(0);
    if (option === undefined) return undefined;
    throw refused(`run ${id} had no simulated fleet, so --${option} cannot be given when it goes on`);
  }
  const other = names.find((name) => asked[name] !== had[name]);
  if (other === undefined) return had;
  throw refused(
    `run ${id} had a simulated fleet with --${other} ${had[other]}, so --${other} cannot say otherwise when it goes on`,
  );
}

function refused(message: string): FedloopError {
  return new FedloopError('InvalidConfig', message, {
    hint: 'Leave the option out, or start a new run without --resume.',
  });
}
