import { defineQuery, defineUpdate, setHandler } from '@temporalio/workflow';
import { type z } from 'zod';
import {
  settingsPatchSchema,
  type SettingsAnswer,
  type SettingsChange,
  type SettingsInForce,
} from '../core/contracts/control';
import { differenceOf, mergePatch } from '../core/contracts/patch';
import { parseInput, refuse } from './input';
import { CHANGES_KEPT } from './limits';

const changeSettingsUpdate = defineUpdate<SettingsAnswer, [unknown?]>('changeSettings');
const settingsQuery = defineQuery<SettingsInForce>('settings');

interface Options<Schema extends z.ZodType<object>> {
  /** Of all settings: what they are after a change is validated as a whole. */
  readonly schema: Schema;
  readonly start: z.infer<Schema>;
  /** Those that may be changed while the workflow runs. */
  readonly names: readonly string[];
  /** From when on a change holds, for people. */
  readonly holds: string;
  /** Changes that an earlier run of the same workflow has made. */
  readonly made?: readonly SettingsChange[];
  /** @throws ApplicationFailure where it is too late for a setting */
  readonly mayChange?: (name: string) => void;
  readonly onChange: (change: SettingsChange) => void;
}

/** A workflow's settings, which people change in part while it runs: the update `changeSettings` and the query `settings`. */
export class ChangingSettings<Schema extends z.ZodType<object>> {
  private current: z.infer<Schema>;
  private made: readonly SettingsChange[];

  constructor(private readonly options: Options<Schema>) {
    this.current = options.start;
    this.made = options.made ?? [];
  }

  get value(): z.infer<Schema> {
    return this.current;
  }

  /** The latest changes, which go along when a workflow continues as new. */
  get changes(): readonly SettingsChange[] {
    return this.made;
  }

  accept(): void {
    const { names, holds, onChange } = this.options;
    setHandler(settingsQuery, () => ({ settings: this.current, changes: this.made }), {
      description: 'The settings in force, and who changed what.',
    });
    setHandler(
      changeSettingsUpdate,
      (raw?: unknown) => {
        const { next, by, reason, dryRun } = this.proposed(raw);
        const difference = differenceOf(this.current, next);
        const isChanged = Object.keys(difference.after).length > 0;
        if (!dryRun && isChanged) {
          this.current = next;
          const change = { at: new Date().toISOString(), by, reason, ...difference };
          this.made = [...this.made, change].slice(-CHANGES_KEPT);
          onChange(change);
        }
        return { ...difference, isChanged: isChanged && !dryRun };
      },
      {
        description: `${holds}: ${names.join(', ')}. What is not named stays; null brings a default back. Optional beside: "by", "reason", "dryRun".`,
        validator: (raw?: unknown) => {
          this.proposed(raw);
        },
      },
    );
  }

  /** What the settings would be. */
  private proposed(raw: unknown): {
    readonly next: z.infer<Schema>;
    readonly by: string | null;
    readonly reason: string | null;
    readonly dryRun: boolean;
  } {
    const { schema, names, mayChange } = this.options;
    const {
      by = null,
      reason = null,
      dryRun = false,
      ...patch
    } = parseInput(settingsPatchSchema(names), raw);
    const named = Object.keys(patch);
    if (named.length === 0) throw refuse(`name a setting: ${names.join(', ')}`);
    for (const name of named) mayChange?.(name);
    return { next: parseInput(schema, mergePatch(this.current, patch)), by, reason, dryRun };
  }
}

/** `settings changed by Ada: rollback "automatic" → "off"`. */
export function describeChange({ by, before, after }: SettingsChange): string {
  const changes = Object.entries(after).map(
    ([name, value]) => `${name} ${JSON.stringify(before[name] ?? null)} → ${JSON.stringify(value)}`,
  );
  return `settings changed${by === null ? '' : ` by ${by}`}: ${changes.join(', ')}`;
}
