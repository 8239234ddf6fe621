import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { measurementSchema, type Measurement, type Workload } from './workload';

/**
 * Someone who can do the work: a program that takes the workload as its last argument (JSON) and prints a measurement.
 * Each turn is a process of its own, so that nobody profits or suffers from another's memory.
 */
export interface Contender {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
}

export const FEDLOOP: Contender = {
  name: 'fedloop',
  program: process.execPath,
  args: [join(__dirname, 'fedloop.js')],
};

/** Flower says a lot of every round. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** Play one turn. Rejects with the program's own words when it fails or prints no measurement. */
export async function playTurn({ program, args }: Contender, workload: Workload): Promise<Measurement> {
  const { stdout } = await promisify(execFile)(program, [...args, JSON.stringify(workload)], {
    maxBuffer: MAX_OUTPUT_BYTES,
    // Python would leave its caches beside the programs, in the source tree.
    env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
  });
  const lastLine = stdout.trim().split('\n').at(-1) ?? '';
  return measurementSchema.parse(JSON.parse(lastLine));
}
