import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { type ReportData } from './data';
import { renderReport } from './page';

/**
 * Write the report to a file, atomically.
 * @throws FedloopError `InvalidInput` if the file cannot be written.
 */
export async function writeReport(data: ReportData, path: string): Promise<void> {
  const page = renderReport(data);
  const draft = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, page);
    await rename(draft, path);
  } catch (cause) {
    throw new FedloopError('InvalidInput', `the report cannot be written to ${path}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
