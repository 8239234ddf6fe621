import { type Logger } from '../../platform/log';
import { LOG_WATCH_MS } from '../limits';
import { stateOf, type FileState } from './file-state';

interface LogWatchOptions {
  /** The warehouse that this process has open. */
  readonly file: string;
  /** Have DuckDB write all that it knows into the file. */
  readonly checkpoint: () => Promise<unknown>;
  readonly log: Logger;
}

/**
 * Watches over the write-ahead log of an open warehouse. DuckDB goes on without a word when somebody removes it or cuts it off: what was committed since the last checkpoint
 * is then in this process's memory alone, and readers answer without it. A checkpoint puts it into the file.
 */
export class LogWatch {
  /** What is lost when this process ends, and what to do; undefined while all is well. */
  trouble: string | undefined;
  private last: FileState | undefined;
  /** Whether a checkpoint had ended well before the last look: one that was under way shows its header beside the log of before. */
  private wasSettled = true;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private looking: Promise<void> | undefined;

  constructor(private readonly options: LogWatchOptions) {}

  start(): void {
    if (this.isClosed) return;
    this.timer = setTimeout(() => {
      this.looking = this.look().finally(() => {
        this.start();
      });
    }, LOG_WATCH_MS).unref();
  }

  /** Resolves once a look that is under way is over. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearTimeout(this.timer);
    await this.looking;
  }

  async look(): Promise<void> {
    const { file, log } = this.options;
    try {
      const now = await stateOf(file);
      const isLost = this.last !== undefined && isCutOff(this.last, now);
      if (isLost && this.wasSettled) {
        this.trouble = `the log ${file}.wal was removed or cut off while it is open: what was stored since the last checkpoint is lost when this worker ends. It is written into ${file} as soon as that is possible.`;
        log.error(this.trouble);
      }
      if (this.trouble !== undefined) {
        await this.options.checkpoint();
        this.trouble = undefined;
        log.warn(`all that the log held is in ${file} now: nothing was lost`);
      } else if (isLost) {
        // Whether it is that nobody can tell: written anew, nothing is lost either way.
        await this.options.checkpoint();
      }
      this.wasSettled = this.last === undefined || this.last.iteration === now.iteration;
      this.last = now;
    } catch (err) {
      // Another look follows. Whether the file itself is there is watched elsewhere.
      log.debug({ err }, 'the log of the warehouse could not be looked at, or written anew');
    }
  }
}

/** Whether a log that held commits has lost them, with no checkpoint in between. */
function isCutOff(before: FileState, now: FileState): boolean {
  if (before.iteration !== now.iteration || before.log === undefined || before.log.bytes === 0) return false;
  return now.log?.inode !== before.log.inode || now.log.bytes < before.log.bytes;
}
