/** The state of a stream worker's lease: shared by the activity that holds it and the process that joins for it. */
export class Lease {
  private holders = 0;
  private drained = false;
  private resolveLeaving: () => void = () => undefined;
  /** Resolves when the process is about to end. */
  readonly leaving = new Promise<void>((resolve) => {
    this.resolveLeaving = resolve;
  });

  /** Two activities may hold it for a short time: after a workflow continued as new, its old run's lease ends by itself. */
  get isHeld(): boolean {
    return this.holders > 0;
  }

  /** A person has stopped the evaluation: this process must not start it again. */
  get wasDrained(): boolean {
    return this.drained;
  }

  begin(): void {
    this.holders += 1;
    this.drained = false;
  }

  end(): void {
    this.holders -= 1;
  }

  markDrained(): void {
    this.drained = true;
  }

  /** The process is about to end: the activity that holds the lease returns. */
  leave(): void {
    this.resolveLeaving();
  }
}
