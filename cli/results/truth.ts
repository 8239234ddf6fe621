import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseOrThrow } from '../../core/contracts/validation';
import { fleetTruthSchema, TRUTH_FILE } from '../../fleet/history';

/** Devices of a simulated fleet by its truth file, which only reports and tests may read. */
export interface FleetTruth {
  /** Number of all devices. */
  readonly devices: number;
  /** Kind of fault by id of the faulty devices. */
  readonly faults: ReadonlyMap<string, string>;
}

/**
 * @param processed folder of a run's processed files
 * @returns null without a truth file, as in a fleet of real sensors.
 * @throws FedloopError `InvalidData` for a file of another form.
 */
export async function readTruth(processed: string): Promise<FleetTruth | null> {
  const text = await readFile(join(processed, TRUTH_FILE), 'utf8').catch(() => undefined);
  if (text === undefined) return null;
  const { devices } = parseOrThrow(fleetTruthSchema, JSON.parse(text), TRUTH_FILE, 'InvalidData');
  const faulty = devices.filter(({ fault }) => fault !== 'none');
  return {
    devices: devices.length,
    faults: new Map(faulty.map(({ device_id, fault }) => [device_id, fault])),
  };
}
