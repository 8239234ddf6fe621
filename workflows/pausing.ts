import { condition, defineUpdate, setHandler } from '@temporalio/workflow';
import { pauseInputSchema } from '../core/contracts/control';
import { parseInput, refuse } from './input';

export const pauseUpdate = defineUpdate<string, [unknown?]>('pause');
export const resumeUpdate = defineUpdate<string, [unknown?]>('resume');

/** A workflow that people can hold between two of its steps. */
export interface Pausing {
  /** Why it is held; null while it runs. */
  reason(): string | null;
  /** Resolves at once, or when it is resumed. */
  whenRunning(): Promise<void>;
}

/** Take the updates `pause` and `resume`. `onChange` shows the news. */
export function acceptPauses(onChange: () => void): Pausing {
  let held: string | null = null;
  setHandler(
    pauseUpdate,
    (raw?: unknown) => {
      held = parseInput(pauseInputSchema, raw).reason ?? 'paused by hand';
      onChange();
      return 'Paused before the next step; a step that runs is finished first.';
    },
    {
      description: 'Hold before the next step. Optional input: {"reason": "…"}.',
      validator: (raw?: unknown) => {
        parseInput(pauseInputSchema, raw);
        if (held !== null) throw refuse(`it is paused already (${held})`);
      },
    },
  );
  setHandler(
    resumeUpdate,
    () => {
      held = null;
      onChange();
      return 'Resumed.';
    },
    {
      description: 'Go on after a pause.',
      validator: (raw?: unknown) => {
        parseInput(pauseInputSchema, raw);
        if (held === null) throw refuse('it is not paused');
      },
    },
  );
  return {
    reason: () => held,
    async whenRunning() {
      if (held !== null) await condition(() => held === null);
    },
  };
}
