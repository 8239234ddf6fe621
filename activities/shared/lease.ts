/** What a stream worker knows of its lease: shared by the activity that holds it and the process that seeks it. */
export class Lease {
  private held = 0;
  private resting = false;
  private resolveLeaving: () => void = () => undefined;
  /** Resolves when the process is about to end. */
  readonly leaving = new Promise<void>((resolve) => {
    this.resolveLeaving = resolve;
  });

  /** Two may overlap for a moment: the old run of a workflow that has continued as new does not take its lease along. */
  get isHeld(): boolean {
    return this.held > 0;
  }

  /** A person has stopped the evaluation: it must not be started again by this process. */
  get wasDrained(): boolean {
    return this.resting;
  }

  begin(): void {
    this.held += 1;
    this.resting = false;
  }

  end(): void {
    this.held -= 1;
  }

  drained(): void {
    this.resting = true;
  }

  /** The process is about to end. */
  leave(): void {
    this.resolveLeaving();
  }
}
