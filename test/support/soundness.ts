import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type RoundSystem } from './round-system';

/** What must hold after whatever has happened to a system. */
export interface Soundness {
  readonly differences: number;
  /** Partitions whose events do not add up: read, but neither used nor put aside for a reason. */
  readonly unaccounted: readonly number[];
  /** Versions that were promoted without an evaluation of their own. */
  readonly promotedUnmeasured: readonly string[];
}

export const SOUND: Soundness = { differences: 0, unaccounted: [], promotedUnmeasured: [] };

const reportSchema = z.object({
  differences: z.object({ count: z.int() }),
  accounting: z.array(z.object({ partition: z.int(), addsUp: z.boolean() })),
});
const versionsSchema = z.array(z.object({ model_version: z.string() }));

/** Time for rows that are on their way when everything has just come back. */
const WAIT = '90s';
/** An analytics worker that is told to go writes what it holds. */
const LEAVE_MILLIS = 60_000;

/**
 * Compare every row with the event log, and every promotion with the rows that it rests on. The analytics worker is stopped for the latter.
 * @throws Error with what the command printed, when the comparison was not possible.
 */
export async function soundnessOf(system: RoundSystem): Promise<Soundness> {
  const { stream } = system;
  const verified = await stream.command(
    'verify',
    '--analytics',
    system.urlOf('analytics'),
    '--json',
    '--wait',
    WAIT,
  );
  if (verified.out === '') throw new Error(`verify ended with ${verified.code}: ${verified.err}`);
  const { differences, accounting } = reportSchema.parse(JSON.parse(verified.out));
  if (differences.count > 0) process.stderr.write(verified.out);
  await system.leave('analytics', LEAVE_MILLIS);
  const unmeasured = await stream.commandWith(
    { FEDLOOP_WAREHOUSE: stream.warehouse },
    'sql',
    '--json',
    `SELECT model_version FROM federated_rounds WHERE decision = 'promoted' AND (evaluations = 0
       OR model_version NOT IN (SELECT model_version FROM model_evaluations))`,
  );
  if (unmeasured.code !== 0) throw new Error(unmeasured.err);
  return {
    differences: differences.count,
    unaccounted: accounting.flatMap(({ partition, addsUp }) => (addsUp ? [] : partition)),
    promotedUnmeasured: versionsSchema
      .parse(JSON.parse(unmeasured.out))
      .map(({ model_version }) => model_version),
  };
}

/** Processes that still work in this folder: none may be left of a system that was stopped. */
export async function processesIn(folder: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const folders = await Promise.all(pids.map((pid) => readlink(join('/proc', pid, 'cwd')).catch(() => '')));
  return pids.filter((_, index) => folders[index]?.startsWith(folder));
}
