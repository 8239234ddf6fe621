import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { pauseInputSchema } from '../core/contracts/control';
import { parseInput, refuse } from './input';

export const pauseUpdate = defineUpdate<string, [unknown?]>('pause');
export const resumeUpdate = defineUpdate<string, [unknown?]>('resume');

/** Lets people hold a workflow between two of its steps. */
export class Pausing {
  private held: string | null = null;

  /** `onChange` shows the news. */
  constructor(private readonly onChange: () => void) {}

  /** Why the workflow is held; null while it runs. */
  reason(): string | null {
    return this.held;
  }

  /** Resolves at once, or when it is resumed. */
  async whenRunning(): Promise<void> {
    if (this.held !== null) await condition(() => this.held === null);
  }

  /** Take the updates `pause` and `resume`. One that came with the start is dealt with here and now, so all that `onChange` uses must be there. */
  accept(): void {
    setHandler(
      pauseUpdate,
      (raw?: unknown) => {
        this.held = parseInput(pauseInputSchema, raw).reason ?? 'paused by hand';
        this.onChange();
        return 'Paused before the next step; a step that runs is finished first.';
      },
      {
        description: 'Hold before the next step. Optional input: {"reason": "…"}.',
        validator: (raw?: unknown) => {
          parseInput(pauseInputSchema, raw);
          if (this.held !== null) throw refuse(`it is paused already (${this.held})`);
        },
      },
    );
    setHandler(
      resumeUpdate,
      (raw?: unknown) => {
        parseInput(pauseInputSchema, raw);
        this.held = null;
        this.onChange();
        return 'Resumed.';
      },
      {
        description: 'Go on after a pause.',
        validator: (raw?: unknown) => {
          parseInput(pauseInputSchema, raw);
          if (this.held === null) throw refuse('it is not paused');
        },
      },
    );
  }
}
