import { cp, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { machineError } from '../../core/contracts/machine-trouble';

/** Where Kafka keeps which topics there are. */
const METADATA = '__cluster_metadata-0';
/** A partition's folder as Kafka names it; folders that it put aside or deletes end otherwise. */
const PARTITION = /-\d+$/;

/** A snapshot of the metadata, named after the offset behind it; that of an empty log says nothing. */
const SNAPSHOT = /^0*[1-9]\d*-\d+\.checkpoint$/;

/** More files than Kafka makes for the partitions of a system, and as many bytes as they have at first. */
const PROBES = { files: 256, bytes: 32 * 1024 };

/**
 * Check a broker's folder before it starts, and keep a copy of its metadata. A broker that cannot write while it recovers its logs takes
 * that for damage and cuts them off, the one of its topics too; at the next start it puts every topic aside. So it starts only where there
 * is room, and metadata that was cut off all the same is put back.
 * @throws FedloopError `ServerUnavailable` when the disk takes no more files, or the metadata are gone and no copy was kept.
 */
export async function prepareKafkaFolder(folder: string, dataFolder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await requireRoom(folder);
  const metadata = join(dataFolder, METADATA);
  const copy = join(folder, 'metadata-copy');
  if (await holdsRecords(metadata)) {
    await replaceWithCopy(copy, metadata);
    return;
  }
  if (!(await hasTopics(dataFolder))) return;
  if (!(await holdsRecords(copy)))
    throw new FedloopError('ServerUnavailable', `what Kafka knew of its topics in ${dataFolder} is gone`, {
      hint: 'Put a backup of that folder back, or start in a new one: with this one Kafka would put every topic aside.',
    });
  await replaceWithCopy(metadata, copy);
}

async function requireRoom(folder: string): Promise<void> {
  const probes = join(folder, 'room-probe');
  const bytes = Buffer.alloc(PROBES.bytes, 1);
  try {
    // Those of a start that was killed; and a folder made with its parents would hide why it cannot be made.
    await rm(probes, { recursive: true, force: true });
    await mkdir(probes);
    for (let file = 0; file < PROBES.files; file += 1) await writeFile(join(probes, String(file)), bytes);
  } catch (cause) {
    throw machineError('ServerUnavailable', cause, folder, `Kafka cannot write in ${folder}`);
  } finally {
    await rm(probes, { recursive: true, force: true });
  }
}

/** In two steps, so that a copy that was begun is never taken for one. */
async function replaceWithCopy(target: string, source: string): Promise<void> {
  const begun = `${target}.new`;
  await rm(begun, { recursive: true, force: true });
  await cp(source, begun, { recursive: true });
  await rm(target, { recursive: true, force: true });
  await rename(begun, target);
}

/** A log that was never written, or was cut off, has no snapshot and segments without a byte. */
async function holdsRecords(folder: string): Promise<boolean> {
  const names = await namesIn(folder);
  if (names.some((name) => SNAPSHOT.test(name))) return true;
  const segments = names.filter((name) => name.endsWith('.log'));
  const sizes = await Promise.all(segments.map(async (name) => (await stat(join(folder, name))).size));
  return sizes.some((size) => size > 0);
}

async function hasTopics(dataFolder: string): Promise<boolean> {
  return (await namesIn(dataFolder)).some((name) => name !== METADATA && PARTITION.test(name));
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}
