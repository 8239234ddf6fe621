import { execFile } from 'node:child_process';
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { packageFile } from '../shared/package-root';
import { errorLine } from '../processes/stderr-tail';
import { type Processes } from '../processes/processes';
import { type Progress } from '../progress';
import { obtainOnce } from './cache';
import { isUnchanged, writeChecksum } from './checksums';
import { isExecutable, onPath, runTool } from './tool';

/** The last tag that `go install` accepts: later ones have a `replace` directive. */
const GO_MODULE = 'github.com/temporalio/cli/cmd/temporal@v1.5.1';
/** Packages that this version compiles; only for the progress bar. */
const EXPECTED_PACKAGES = 1_300;

const ELSE = 'or set TEMPORAL_ADDRESS to a running server';

/**
 * Path of Temporal's command, which contains its development server: on PATH, in the cache, downloaded by the SDK, or built by Go.
 * @throws FedloopError `ServerUnavailable` when none of these works.
 */
export async function obtainTemporal(
  cache: string,
  processes: Processes,
  progress: Progress,
): Promise<string> {
  const installed = await onPath('temporal');
  if (installed !== undefined && (await runs(installed))) return installed;
  const target = cachedTemporal(cache);
  return obtainOnce({
    cache,
    name: 'temporal',
    find: async () => ((await isSound(target)) ? target : undefined),
    onWait: () => {
      progress.note('Another fedloop is obtaining Temporal; waiting for it.');
    },
    obtain: async () => {
      const damage = await damageOfTemporal(cache);
      if (damage !== undefined) progress.note(`${damage}; it is obtained again.`);
      await mkdir(join(cache, 'bin'), { recursive: true });
      const downloadFault = await download(cache, target, processes, progress);
      if (downloadFault !== undefined) await build(cache, target, downloadFault, processes, progress);
      await writeChecksum(target);
      return target;
    },
  });
}

export function cachedTemporal(cache: string): string {
  return join(cache, 'bin', 'temporal');
}

/** What is wrong with the Temporal of a cache, in one sentence; undefined where there is none, or nothing wrong. */
export async function damageOfTemporal(cache: string): Promise<string | undefined> {
  const target = cachedTemporal(cache);
  const isThere = await stat(target).then(
    () => true,
    () => false,
  );
  if (!isThere || (await isSound(target))) return undefined;
  return `Temporal’s server at ${target} is damaged`;
}

async function isSound(target: string): Promise<boolean> {
  return (await isExecutable(target)) && (await isUnchanged(target)) && (await runs(target));
}

/** Download Temporal's command through the SDK. @returns undefined after success, else the reason of the failure. */
async function download(
  cache: string,
  target: string,
  processes: Processes,
  progress: Progress,
): Promise<string | undefined> {
  const step = progress.step('Downloading Temporal’s server');
  const folder = join(cache, 'bin', 'download.partial');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  // In a separate process, because the SDK's download cannot be aborted.
  const child = await processes.spawn({
    name: 'the download of Temporal',
    command: process.execPath,
    args: [packageFile('bin', 'download-temporal.js'), folder],
    logFile: join(cache, 'bin', 'download.log'),
  });
  let bytes = 0;
  let grew = performance.now();
  while (child.running) {
    await Promise.race([child.ended, sleep(LIMITS.readyPollMillis)]);
    const now = await bytesIn(folder);
    if (now > bytes) {
      bytes = now;
      grew = performance.now();
      step.update(`${Math.round(bytes / 1e6)} MB`);
    } else if (performance.now() - grew > LIMITS.downloadSilenceMillis) {
      await child.stop(0);
    }
  }
  const { code } = await child.ended;
  processes.throwIfStopping();
  const file = code === 0 ? await onlyExecutable(folder) : undefined;
  if (file !== undefined) await rename(file, target);
  await rm(folder, { recursive: true, force: true });
  if (file !== undefined && (await runs(target))) {
    step.done();
    return undefined;
  }
  step.done('not reachable from here');
  return errorLine(await child.tail());
}

/** @throws FedloopError `ServerUnavailable` */
async function build(
  cache: string,
  target: string,
  downloadFault: string,
  processes: Processes,
  progress: Progress,
): Promise<void> {
  const go = await onPath('go');
  if (go === undefined) {
    throw new FedloopError(
      'ServerUnavailable',
      'Temporal’s server could not be obtained: its download failed and Go, which could build it, is missing',
      {
        hint: `Install Temporal’s command (\`temporal\`) or Go, ${ELSE}.`,
        cause: new Error(downloadFault),
      },
    );
  }
  const step = progress.step('Building Temporal’s server with Go, once (some minutes)');
  const folder = join(cache, 'bin', 'build.partial');
  await rm(folder, { recursive: true, force: true });
  let packages = 0;
  try {
    await runTool({
      processes,
      name: 'Go',
      // Go reports its packages on stderr only.
      program: '/bin/sh',
      // Without its symbol tables the program is a third smaller and links faster.
      args: ['-c', 'exec "$0" install -v -ldflags="-s -w" "$1" 2>&1', go, GO_MODULE],
      env: { ...process.env, GOBIN: folder },
      logFile: join(cache, 'bin', 'build.log'),
      onLine: (line) => {
        if (line.startsWith('go: downloading')) {
          step.update(`fetching ${line.split(' ')[2] ?? ''}`);
        } else if (!line.includes(' ')) {
          packages += 1;
          step.update(line, Math.min(0.99, packages / EXPECTED_PACKAGES));
        }
      },
    });
    await rename(join(folder, 'temporal'), target);
    await rm(folder, { recursive: true, force: true });
  } catch (cause) {
    step.fail(processes.failure);
    const output = cause instanceof FedloopError ? messageOf(cause.cause) : messageOf(cause);
    throw new FedloopError(
      'ServerUnavailable',
      `Temporal’s server could not be obtained: building it with Go failed: ${errorLine(output)}`,
      {
        hint: `Check the network and GOPROXY, install Temporal’s command (\`temporal\`), ${ELSE}.`,
        cause,
      },
    );
  }
  step.done();
}

/** Whether it says its version: an empty file is run as an empty script, which succeeds. */
async function runs(path: string): Promise<boolean> {
  return promisify(execFile)(path, ['--version']).then(
    ({ stdout }) => /version/i.test(stdout),
    () => false,
  );
}

async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        (file) => file.size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function onlyExecutable(folder: string): Promise<string | undefined> {
  const [name] = await readdir(folder);
  if (name === undefined) return undefined;
  const path = join(folder, name);
  await chmod(path, 0o755);
  return path;
}
