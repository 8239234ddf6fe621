import { z } from 'zod';
import { FedloopError } from '../contracts/errors';
import { type StreamSettings } from '../contracts/settings';
import { type SerialConnection } from './database/connection';
import { storeSettings } from './sink/deployments';

const toleranceRow = z.object({ tolerance_celsius: z.number() });
const TOLERANCE = 'SELECT tolerance_celsius FROM stream_settings';

/** Settings of the stream hold from the first open on; a message of `model-deployments` replaces them. */
export async function ensureSettings(connection: SerialConnection, initial: StreamSettings): Promise<void> {
  await connection.transaction(async (inside) => {
    const stored = await inside.rows(toleranceRow, TOLERANCE);
    if (stored.length === 0) await storeSettings(inside, initial);
  });
}

/** Largest error in °C of a forecast that counts as correct. */
export async function readTolerance(connection: SerialConnection): Promise<number> {
  const [row] = await connection.rows(toleranceRow, TOLERANCE);
  if (row === undefined)
    throw new FedloopError('WarehouseFailed', 'the warehouse has lost the stream’s settings');
  return row.tolerance_celsius;
}
