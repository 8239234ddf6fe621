import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder, obtainOnce } from '../../cli/servers/cache';
import { FedloopError } from '../../core/contracts/errors';
import { type Contender } from './contender';

/**
 * Programs that do the same work, by the name of `--peer`: two simulators, and what they compute with, all devices in one batch as Fedloop has it.
 * The programs, and the versions of what they use, lie in bench/rounds/peers/.
 */
export const PEERS = ['flower', 'pfl', 'vmap', 'numpy'] as const;
export type PeerName = (typeof PEERS)[number];

/** Compiled code lies in dist/bench/rounds/, Python programs where they were written. */
const PEERS_FOLDER = resolve(__dirname, '../../../bench/rounds/peers');
const REQUIREMENTS = join(PEERS_FOLDER, 'requirements.txt');
/** PyTorch's packages are some gigabytes. */
const INSTALL_TIMEOUT_MILLIS = 20 * 60_000;
/** On this machine alone, at any free port. */
const TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--local-addr=127.0.0.1'];
const run = promisify(execFile);

/**
 * A peer ready to play: all peers' packages lie in one Python environment below the cache folder, made once.
 * @param processes how many cores it may keep busy
 * @throws FedloopError `NotFound` without a Python that they run on, or when pip cannot install them.
 */
export async function obtainPeer(
  name: PeerName,
  processes: number,
  say: (line: string) => void,
): Promise<Contender> {
  const hash = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 12);
  const cache = cacheFolder();
  const environment = join(cache, `peers-${hash}`);
  const python = join(environment, 'bin', 'python');
  const done = join(environment, 'installed');
  await obtainOnce({
    cache,
    name: `peers-${hash}`,
    find: () => existing(done),
    obtain: async () => {
      say(`installing Flower, pfl-research and PyTorch into ${environment} (6 GB, once)`);
      await install(await findPython(), environment, python);
      await writeFile(done, '');
      return done;
    },
    onWait: () => {
      say('waiting for another process that installs the peers');
    },
  });
  const program = join(PEERS_FOLDER, `${name}_peer.py`);
  return {
    name,
    program: python,
    // pfl-research uses several cores as several processes; Flower's program starts its actors itself.
    args: name === 'pfl' ? [...TORCHRUN, `--nproc-per-node=${processes}`, program] : [program],
  };
}

async function install(python: string, environment: string, environmentPython: string): Promise<void> {
  const settings = { timeout: INSTALL_TIMEOUT_MILLIS, maxBuffer: 64 * 1024 * 1024 };
  await rm(environment, { recursive: true, force: true });
  try {
    await run(python, ['-m', 'venv', environment], settings);
    await run(environmentPython, ['-m', 'pip', 'install', '--quiet', '-r', REQUIREMENTS], settings);
  } catch (cause) {
    throw new FedloopError('NotFound', `the packages of ${REQUIREMENTS} could not be installed`, {
      hint: 'Run the command again with a network that reaches your Python package index, or without --peer.',
      cause,
    });
  }
}

/** pfl-research wants at most 3.12, Flower at least 3.11. */
async function findPython(): Promise<string> {
  for (const python of ['python3.12', 'python3.11', 'python3']) {
    const answer = await run(python, ['-c', 'import sys; print(*sys.version_info[:2])']).catch(() => null);
    if (answer !== null && ['3 11', '3 12'].includes(answer.stdout.trim())) return python;
  }
  throw new FedloopError('NotFound', 'there is no Python 3.11 or 3.12, which the peers run on', {
    hint: 'Install one, or leave out --peer.',
  });
}

async function existing(path: string): Promise<string | undefined> {
  return access(path).then(
    () => path,
    () => undefined,
  );
}
