import { startChild, type Child, type ChildOptions } from './child';
import { type StepFailure } from '../progress';
import { interrupted } from '../shared/wait';
import { Supervisor } from './supervisor';

/** All processes that one command has started, under one supervisor. */
export class Processes {
  private readonly children = new Set<Child>();
  private closed = false;
  private supervisor = this.supervise();

  private constructor() {
    // From `start`, which says that something begins to run.
  }

  static start(): Processes {
    return new Processes();
  }

  /** A supervisor that is killed has a successor, which is told of all that runs. */
  private supervise(): Supervisor {
    const supervisor = Supervisor.start();
    void supervisor.ended.then(async () => {
      if (this.closed) return;
      this.supervisor = this.supervise();
      // One that is killed at once has a successor again.
      await Promise.all([...this.children].map(({ pid }) => this.supervisor.watch(pid))).catch(
        () => undefined,
      );
    });
    return supervisor;
  }

  /** Start a process that lives no longer than this one, even if this one is killed with SIGKILL. */
  async spawn(options: ChildOptions): Promise<Child> {
    const child = await startChild(options, async (group) => {
      this.throwIfStopping();
      await this.supervisor.watch(group);
    });
    this.children.add(child);
    void child.ended.then(async () => {
      this.children.delete(child);
      await this.supervisor.forget(child.pid);
    });
    return child;
  }

  /**
   * Guards work that still runs after Ctrl-C or after a failure elsewhere: it must not start anything more.
   * @throws FedloopError `Interrupted`
   */
  throwIfStopping(): void {
    if (this.closed) throw interrupted();
  }

  /** Why a step that fails now failed: by itself, or because everything is being stopped. */
  get failure(): StepFailure {
    return this.closed ? 'stopped' : 'failed';
  }

  /** Stop all running processes, in parallel, and start nothing more. */
  async stopAll(graceMillis: number): Promise<void> {
    this.closed = true;
    await Promise.all([...this.children].map((child) => child.stop(graceMillis)));
  }
}
