import { writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import { type Requirement } from './requirements';

export const FAKETIME: Requirement = {
  from: 'Debian package faketime',
  probes: [['faketime', '--version']],
};
/** A process looks at its clock's file again after a second. */
const LOOK_SECONDS = 1;

/** The wall clock of a process, which a test sets while the process runs. Clocks that nobody can set go on as they do on a machine. */
export class SetClock {
  private constructor(private readonly file: string) {}

  static async make(file: string): Promise<SetClock> {
    const clock = new SetClock(file);
    await clock.set(0);
    return clock;
  }

  /** What a process needs in its environment to go by this clock. */
  get variables(): Record<string, string> {
    return {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: this.file,
      FAKETIME_CACHE_DURATION: String(LOOK_SECONDS),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
  }

  /** Takes hold within a second. @param seconds away from the true time */
  async set(seconds: number): Promise<void> {
    await writeFile(this.file, `${seconds < 0 ? '' : '+'}${seconds}\n`);
  }
}

/** The wrapper knows where its library is: it differs between kinds of processors. */
function library(): string {
  const { stdout } = spawnSync('faketime', ['-m', '-f', '+0', 'printenv', 'LD_PRELOAD'], {
    encoding: 'utf8',
  });
  return stdout.trim();
}
