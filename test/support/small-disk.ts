import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A file system in memory that a test fills, empties and makes read-only. Needs `MOUNT` (`requirements.ts`). */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  static mount(folder: string, megabytes: number): SmallDisk {
    mkdirSync(folder, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
    return new SmallDisk(folder);
  }

  /** Take all space that is left, to the last page. */
  fill(): void {
    const file = openSync(this.filler, 'a');
    try {
      for (const bytes of [1_048_576, 4_096]) while (wrote(file, Buffer.alloc(bytes)));
    } finally {
      closeSync(file);
    }
  }

  /** What `fill` took is free again. */
  free(): void {
    rmSync(this.filler, { force: true });
  }

  remount(options: 'ro' | 'rw'): void {
    execFileSync('mount', ['-o', `remount,${options}`, this.folder]);
  }

  /** Let it take no new file; space is left. */
  refuseFiles(): void {
    const { files, ffree } = statfsSync(this.folder);
    execFileSync('mount', ['-o', `remount,nr_inodes=${files - ffree}`, this.folder]);
  }

  takeFiles(): void {
    execFileSync('mount', ['-o', 'remount,nr_inodes=100000', this.folder]);
  }

  /** Also while a process that is about to end has files on it. */
  unmount(): void {
    execFileSync('umount', ['--lazy', this.folder]);
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}

function wrote(file: number, bytes: Buffer): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch {
    return false;
  }
}
