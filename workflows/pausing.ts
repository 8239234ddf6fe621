import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { pauseInputSchema } from '../core/contracts/control';
import { parseInput, refuse } from './input';

const pauseUpdate = defineUpdate<string, [unknown?]>('pause');
const resumeUpdate = defineUpdate<string, [unknown?]>('resume');

/** Lets people pause a workflow between two of its steps. */
export class Pausing {
  /**
   * @param onChange called after every pause and resume
   * @param pausedBecause why it is paused from the start, as an earlier run was
   * @param effect what a pause will do from where the workflow is
   */
  constructor(
    private readonly onChange: () => void,
    private pausedBecause: string | null = null,
    private readonly effect: () => string = () =>
      'Paused before the next step; a step that runs is finished first.',
  ) {}

  /** Why the workflow is paused, and by whom where that was said; null while it runs. */
  reason(): string | null {
    return this.pausedBecause;
  }

  /** Resolves at once, or when the workflow is resumed. */
  async whenRunning(): Promise<void> {
    if (this.pausedBecause !== null) await condition(() => this.pausedBecause === null);
  }

  /** Handle the updates `pause` and `resume`. An update that came with the start is handled in this call, so `onChange` must work by now. */
  accept(): void {
    setHandler(
      pauseUpdate,
      (raw?: unknown) => {
        const { reason = 'paused by hand', by } = parseInput(pauseInputSchema, raw);
        this.pausedBecause = by === undefined ? reason : `${reason} (${by})`;
        this.onChange();
        return this.effect();
      },
      {
        description: 'Pause before the next step. Optional input: {"reason": "…", "by": "…"}.',
        validator: (raw?: unknown) => {
          parseInput(pauseInputSchema, raw);
          if (this.pausedBecause !== null) throw refuse(`it is paused already (${this.pausedBecause})`);
        },
      },
    );
    setHandler(
      resumeUpdate,
      (raw?: unknown) => {
        parseInput(pauseInputSchema, raw);
        this.pausedBecause = null;
        this.onChange();
        return 'Resumed.';
      },
      {
        description: 'Continue after a pause.',
        validator: (raw?: unknown) => {
          parseInput(pauseInputSchema, raw);
          if (this.pausedBecause === null) throw refuse('it is not paused');
        },
      },
    );
  }
}
