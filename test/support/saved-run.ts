import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { brotliDecompressSync } from 'node:zlib';
import { z } from 'zod';

/** Made by `save-run.js`: run folders of earlier releases, and what each said of its own. */
const FOLDER = join(__dirname, 'saved-runs');

const savedRunSchema = z.object({
  /** Its id: the folder is `runs/<id>`. */
  run: z.string(),
  /** Milliseconds since 1970. */
  committedAt: z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  devices: z.int(),
  /** Queries and what it answered at rest. */
  answers: z.array(z.object({ sql: z.string(), rows: z.array(z.record(z.string(), z.unknown())) })),
});
export type SavedRun = z.infer<typeof savedRunSchema>;

const saidOf = (commit: string): SavedRun =>
  savedRunSchema.parse(JSON.parse(readFileSync(join(FOLDER, `${commit}.json`), 'utf8')));

/** Commits of which a run is saved, oldest first. */
export function savedCommits(): readonly string[] {
  const commits = readdirSync(FOLDER).flatMap((name) =>
    name.endsWith('.json') ? [name.replace('.json', '')] : [],
  );
  return commits.sort((one, other) => saidOf(one).committedAt - saidOf(other).committedAt);
}

/** Histories of workflows, as text, that the commit had recorded of every path. */
export function savedHistories(commit: string): readonly string[] {
  const packed = readFileSync(join(FOLDER, `${commit}.histories.br`));
  return brotliDecompressSync(packed).toString('utf8').split('\n');
}

/** Those of them whose runs are tested: the oldest and the newest, or all with `FEDLOOP_SAVED_RUNS=all`. A run costs half a minute. */
export function savedRuns(): readonly string[] {
  const byAge = savedCommits();
  return process.env['FEDLOOP_SAVED_RUNS'] === 'all'
    ? byAge
    : [...new Set([...byAge.slice(0, 1), ...byAge.slice(-1)])];
}

/** Put the run of this commit into `folder`, as `runs/<id>`. @returns what its release said of it. */
export async function unpackSavedRun(commit: string, folder: string): Promise<SavedRun> {
  const tar = spawn('tar', ['-x'], { cwd: folder, stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = new Promise<number | null>((done) => tar.once('close', done));
  await pipeline(
    Readable.from([brotliDecompressSync(await readFile(join(FOLDER, `${commit}.tar.br`)))]),
    tar.stdin,
  );
  if ((await ended) !== 0) throw new Error(`the saved run of ${commit} cannot be unpacked`);
  return saidOf(commit);
}
