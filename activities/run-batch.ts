import { isAbsolute, normalize, resolve, sep } from 'node:path';
import { Context } from '@temporalio/activity';
import { FedloopError } from '../core/contracts/errors';
import { type BatchAnalyticsInput } from '../core/contracts/rounds';
import { type BatchResult } from '../core/contracts/batch-result';
import { type WarehouseService } from '../core/warehouse/service';
import { withHeartbeat } from './shared/heartbeat';

/** Well within the heartbeat time-out of a batch run. */
const HEARTBEAT_MS = 20_000;

/** Count the processed files. A workflow's input may name a folder inside `processed/`, never one outside. */
export async function runBatch(
  service: WarehouseService,
  processed: string,
  input: BatchAnalyticsInput,
): Promise<BatchResult> {
  const { directory: inside } = input;
  const directory = inside === undefined ? processed : folderInside(processed, inside);
  const { cancellationSignal: signal } = Context.current();
  return withHeartbeat(HEARTBEAT_MS, () =>
    service.runBatch(directory, {
      signal,
      mayBeMissing: inside === undefined,
      onProgress: (progress) => {
        Context.current().heartbeat(progress);
      },
    }),
  );
}

/** @throws FedloopError `InvalidInput` for a path that leads out of `root`. */
export function folderInside(root: string, directory: string): string {
  const inside = resolve(root, normalize(directory));
  if (isAbsolute(directory) || !`${inside}${sep}`.startsWith(`${resolve(root)}${sep}`)) {
    throw new FedloopError(
      'InvalidInput',
      'directory: must be a folder inside processed/, written relative to it',
    );
  }
  return inside;
}
