import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { fleetNameSchema } from '../../core/contracts/ids';
import { parseJson } from '../../core/contracts/validation';
import { type Progress } from '../progress';
import { isFree } from '../servers/ports';
import { type RunFolder } from './run-folder';

const portSchema = z.int().min(1).max(65_535);

/** What a run has to be started with once more to be the same system: kept in its folder, also while it does not run. */
const rememberedRunSchema = z.object({
  fleet: fleetNameSchema,
  /** Its deployment file, where it has one. */
  config: z.string().nullable(),
  /** Settings of its simulated fleet, as in FEDLOOP_SIMULATION, where it has one. */
  simulation: z.string().nullable(),
  /** Where its own servers and its workers' metrics listened. */
  ports: z.object({
    kafka: portSchema.nullable(),
    temporal: portSchema.nullable(),
    temporalUi: portSchema.nullable(),
    temporalMetrics: portSchema.nullable(),
    prometheus: portSchema.nullable(),
    workers: z.record(z.string(), portSchema),
  }),
});
export type RememberedRun = z.infer<typeof rememberedRunSchema>;

/**
 * Undefined for a run of an earlier release, which kept nothing.
 * @throws FedloopError `InvalidData` for a file that is damaged: what it held cannot be guessed.
 */
export async function readRemembered(run: RunFolder): Promise<RememberedRun | undefined> {
  const file = fileOf(run);
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    if (messageOf(cause).includes('ENOENT')) return undefined;
    throw cause;
  });
  if (text === undefined) return undefined;
  const parsed = rememberedRunSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new FedloopError(
    'InvalidData',
    `${file} is damaged, which says how run ${run.id} was started: its fleet, its deployment file and its ports`,
    {
      hint: 'Bring it back from a copy, or delete it and give `fedloop up --resume` the same options as at first.',
    },
  );
}

export async function remember(run: RunFolder, what: RememberedRun): Promise<void> {
  const draft = `${fileOf(run)}.draft`;
  await writeFile(draft, `${JSON.stringify(what, null, 2)}\n`);
  await rename(draft, fileOf(run));
}

function fileOf(run: RunFolder): string {
  return join(run.path, 'system.json');
}

/** A port that something listened on before; undefined, and said, when another program has it by now. */
export async function hadPort(
  what: string,
  port: number | null | undefined,
  progress: Pick<Progress, 'note'>,
): Promise<number | undefined> {
  if (port === null || port === undefined) return undefined;
  if (await isFree(port)) return port;
  progress.note(`Port ${port}, which ${what} had before, is taken by another program: it gets another one.`);
  return undefined;
}
