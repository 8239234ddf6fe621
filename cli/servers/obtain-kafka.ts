import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { packageFile } from '../shared/package-root';
import { errorLine } from '../processes/stderr-tail';
import { type Processes } from '../processes/processes';
import { type Progress } from '../progress';
import { obtainOnce } from './cache';
import { writeChecksums } from './checksums';
import { lookAtJars } from './jars';
import { onPath, runTool } from './tool';

/** Jars that the pom requires; only for the progress bar. */
const EXPECTED_JARS = 46;

/**
 * The class path of Apache Kafka. Fetches it from Maven's repository into the cache the first time (43 MB, about 5 s).
 * @throws FedloopError `ServerUnavailable` when Maven is missing or cannot fetch the jars.
 */
export async function obtainKafka(cache: string, processes: Processes, progress: Progress): Promise<string> {
  const { version, folder } = await placeOfKafka(cache);
  const classPath = join(folder, '*');
  return obtainOnce({
    cache,
    name: `kafka-${version}`,
    find: async () => ((await hasJars(folder)) ? classPath : undefined),
    onWait: () => {
      progress.note('Another fedloop is fetching Kafka; waiting for it.');
    },
    obtain: async () => {
      const damage = await damageOfKafka(cache);
      if (damage !== undefined) progress.note(`${damage}; it is fetched again.`);
      await fetchJars(POM, version, folder, processes, progress);
      return classPath;
    },
  });
}

const POM = packageFile('cli', 'servers', 'kafka', 'pom.xml');

interface PlaceOfKafka {
  readonly version: string;
  readonly folder: string;
}

/** The version that is used, and its folder in the cache. */
export async function placeOfKafka(cache: string): Promise<PlaceOfKafka> {
  const version = kafkaVersion(await readFile(POM, 'utf8'));
  return { version, folder: join(cache, `kafka-${version}`) };
}

/** What is wrong with the Kafka of a cache, in one sentence; undefined where there is none, or nothing wrong. */
export async function damageOfKafka(cache: string): Promise<string | undefined> {
  const { folder } = await placeOfKafka(cache);
  const { jars, damaged } = await lookAtJars(folder);
  const [one] = damaged;
  if (one !== undefined)
    return `Kafka in ${folder} is damaged (${damaged.length} of its files, such as ${one})`;
  if (jars.length === 0 || (await hasJars(folder))) return undefined;
  return `Kafka in ${folder} is damaged (its broker is missing)`;
}

/** @throws FedloopError `Internal` when the pom names no version. */
export function kafkaVersion(pom: string): string {
  const version = /<kafka\.version>([\d.]+)<\/kafka\.version>/.exec(pom)?.[1];
  if (version === undefined)
    throw new FedloopError('Internal', 'cli/servers/kafka/pom.xml names no kafka.version');
  return version;
}

async function fetchJars(
  pom: string,
  version: string,
  folder: string,
  processes: Processes,
  progress: Progress,
): Promise<void> {
  const maven = await onPath('mvn');
  if (maven === undefined) {
    throw new FedloopError('ServerUnavailable', 'Maven is missing, which fetches Kafka the first time', {
      hint: 'Install Maven (Debian: `apt-get install maven`), or set KAFKA_BROKERS to a running broker.',
    });
  }
  const step = progress.step(`Fetching Apache Kafka ${version} from Maven`);
  // Renamed when complete, so that an interrupted fetch is never taken for Kafka.
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  let jars = 0;
  try {
    await runTool({
      processes,
      name: 'Maven',
      program: maven,
      args: [
        '--batch-mode',
        '--file',
        pom,
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${partial}`,
      ],
      logFile: `${folder}.log`,
      onLine: (line) => {
        if (!/Download(ed|ing) from .*\.jar|Copying .*\.jar/.test(line)) return;
        if (line.includes('Downloaded')) jars += 1;
        step.update(line.replace(/^.*\/([^/\s]+\.jar).*$/, '$1'), Math.min(1, jars / EXPECTED_JARS));
      },
    });
    await writeChecksums(partial);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  } catch (cause) {
    step.fail(processes.failure);
    const output = cause instanceof FedloopError ? messageOf(cause.cause) : messageOf(cause);
    throw new FedloopError(
      'ServerUnavailable',
      `Kafka could not be fetched from Maven: ${errorLine(output)}`,
      {
        hint: 'Check the network or Maven’s settings (a mirror may be needed), or set KAFKA_BROKERS to a running broker.',
        cause,
      },
    );
  }
  step.done();
}

/** A fetch that is complete is renamed; what is cut off came later, as from a copy of the cache or a full disk. */
async function hasJars(folder: string): Promise<boolean> {
  const { jars, damaged } = await lookAtJars(folder);
  return damaged.length === 0 && jars.some((name) => name.startsWith('kafka_2.13-'));
}
