import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeChecksum, writeChecksums } from '../../../cli/servers/checksums';
import { lookAtJars } from '../../../cli/servers/jars';
import { damageOfKafka, placeOfKafka } from '../../../cli/servers/obtain-kafka';
import { cachedTemporal, damageOfTemporal } from '../../../cli/servers/obtain-temporal';
import { obtainOnce } from '../../../cli/servers/cache';
import { startOf } from '../../../cli/processes/identity';
import { claimFolder } from '../../../cli/system/claim-folder';
import { describeWith, MOUNT } from '../../support/requirements';
import { SmallDisk } from '../../support/small-disk';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-cache-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** An empty ZIP file: the end of its directory alone. */
const EMPTY_ZIP = Buffer.concat([Buffer.from('PK\x05\x06', 'latin1'), Buffer.alloc(18)]);

describe('jars in the cache', () => {
  it('are damaged when they are empty, cut off or something else', async () => {
    writeFileSync(join(folder, 'whole.jar'), EMPTY_ZIP);
    writeFileSync(join(folder, 'cut.jar'), EMPTY_ZIP);
    truncateSync(join(folder, 'cut.jar'), 21);
    writeFileSync(join(folder, 'empty.jar'), '');
    writeFileSync(join(folder, 'page.jar'), '<html>404</html>'.repeat(100));
    // Bytes are missing in the middle: the directory does not lie where the end says.
    writeFileSync(join(folder, 'short.jar'), Buffer.concat([Buffer.from('PK'), EMPTY_ZIP]));
    const { jars, damaged } = await lookAtJars(folder);
    expect(jars).toHaveLength(5);
    expect([...damaged].sort()).toEqual(['cut.jar', 'empty.jar', 'page.jar', 'short.jar']);
  });

  it('are none where there is no folder', async () => {
    expect(await lookAtJars(join(folder, 'nowhere'))).toEqual({ jars: [], damaged: [] });
  });
});

describe('a server in the cache', () => {
  it('is damaged when a jar is changed or missing by its checksum, also where its end is whole', async () => {
    const kafka = (await placeOfKafka(folder)).folder;
    mkdirSync(kafka);
    for (const name of ['kafka_2.13-4.jar', 'a.jar', 'b.jar']) writeFileSync(join(kafka, name), EMPTY_ZIP);
    await writeChecksums(kafka);
    expect(await damageOfKafka(folder)).toBeUndefined();
    writeFileSync(
      join(kafka, 'a.jar'),
      Buffer.concat([EMPTY_ZIP.subarray(0, 20), Buffer.from([1, 0]), Buffer.from('!')]),
    );
    rmSync(join(kafka, 'b.jar'));
    expect(await damageOfKafka(folder)).toBe(`Kafka in ${kafka} is damaged (2 of its files, such as a.jar)`);
  });

  it('is damaged when it is empty, does not run, or is not what was obtained', async () => {
    const program = cachedTemporal(folder);
    mkdirSync(dirname(program));
    expect(await damageOfTemporal(folder)).toBeUndefined();
    writeFileSync(program, '', { mode: 0o755 });
    expect(await damageOfTemporal(folder)).toBe(`Temporal’s server at ${program} is damaged`);
    writeFileSync(program, '#!/bin/sh\necho temporal version 1\n');
    await writeChecksum(program);
    expect(await damageOfTemporal(folder)).toBeUndefined();
    writeFileSync(program, '#!/bin/sh\necho temporal version 1 \n');
    expect(await damageOfTemporal(folder)).toBe(`Temporal’s server at ${program} is damaged`);
  });
});

describe('a folder that a system works in', () => {
  it('is refused to a second one, and free again when the first has gone or was killed', async () => {
    const release = await claimFolder(folder, 'run-1');
    const other = join(folder, '.fedloop', 'claim.json');
    // The claim of a process that lives, and of one that was killed.
    const first = { pid: process.ppid, started: startOf(process.ppid), id: 'run-0' };
    writeFileSync(other, JSON.stringify(first));
    await expect(claimFolder(folder, 'run-2')).rejects.toMatchObject({
      message: `a system is starting or running in this folder already (run run-0, process ${process.ppid})`,
      hint: expect.stringContaining('fedloop down') as unknown,
    });
    // As after a reboot: its number is another's by now.
    writeFileSync(other, JSON.stringify({ ...first, started: 'long ago' }));
    await (
      await claimFolder(folder, 'run-2')
    )();
    const dead = Number(execFileSync('sh', ['-c', 'echo $$']).toString());
    writeFileSync(other, JSON.stringify({ pid: dead, id: 'run-0' }));
    await (
      await claimFolder(folder, 'run-3')
    )();
    await release();
  });
});

describeWith(MOUNT, 'folders that may not be written', () => {
  it('are named, with what to do, where a system or a cache is wanted', async () => {
    const disk = SmallDisk.mount(join(folder, 'disk'), 1);
    try {
      mkdirSync(join(disk.folder, '.fedloop'));
      disk.remount('ro');
      await expect(claimFolder(disk.folder, 'run-1')).rejects.toMatchObject({
        message: `the file system of ${join(disk.folder, '.fedloop')} is read-only`,
        hint: 'Mount it writable, or use another folder.',
      });
      const obtained = obtainOnce({
        cache: join(disk.folder, 'cache'),
        name: 'kafka',
        find: () => Promise.resolve(undefined),
        obtain: () => Promise.resolve('kafka'),
        onWait: () => undefined,
      });
      await expect(obtained).rejects.toMatchObject({
        message: `the file system of the cache ${join(disk.folder, 'cache')} is read-only`,
      });
    } finally {
      disk.unmount();
    }
  });
});
