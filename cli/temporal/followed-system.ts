import { setTimeout as sleep } from 'node:timers/promises';
import { FedloopError } from '../../core/contracts/errors';
import { LIMITS } from '../shared/limits';
import { lookForSystem, type RunningSystem } from '../system/running';
import { type Session } from '../system/session';

type FollowLimits = Readonly<Record<'temporalAwayMillis' | 'progressPollMillis', number>>;

/**
 * The system that a command waits for, wherever its servers are: a restart may have moved them. A system that somebody stops ends the wait at
 * once; one that dies may come back for a while, as after a reboot.
 */
export class FollowedSystem {
  private readonly over = new AbortController();
  private latest: RunningSystem;

  /** @param what waits for the system, as the subject of a sentence */
  constructor(
    private readonly session: Pick<Session, 'folder' | 'progress'>,
    first: RunningSystem,
    private readonly what: string,
    private readonly limits: FollowLimits = LIMITS,
  ) {
    this.latest = first;
  }

  /** The system as it was published last. */
  get now(): RunningSystem {
    return this.latest;
  }

  /** Rejects when the system is stopped; resolves never. Ends quietly after `close`. */
  async stopped(): Promise<never> {
    const { id } = this.latest;
    let awaySince: number | undefined;
    for (;;) {
      const known = await lookForSystem(this.session.folder);
      const isHere = known.is === 'running' && known.system.id === id;
      // The entry of a system that has ended is removed when it is resumed, and comes back when it is up.
      const mayComeBack = known.is === 'none' ? awaySince !== undefined : known.system.id === id;
      if (!mayComeBack) throw this.end('was stopped');
      if (isHere) {
        this.latest = known.system;
        awaySince = undefined;
      } else {
        if (awaySince === undefined)
          this.session.progress.note(`The system has ended; ${this.what} goes on when it is resumed.`);
        awaySince ??= performance.now();
        if (performance.now() - awaySince >= this.limits.temporalAwayMillis) throw this.end('has ended');
      }
      await sleep(this.limits.progressPollMillis, undefined, { signal: this.over.signal });
    }
  }

  close(): void {
    this.over.abort();
  }

  private end(how: string): FedloopError {
    const { id } = this.latest;
    return new FedloopError(
      'ServerUnavailable',
      `the system of run ${id} ${how}; ${this.what} goes on when it is resumed`,
      { hint: `Resume it with \`fedloop up --resume ${id}\`; \`fedloop watch\` follows it then.` },
    );
  }
}
