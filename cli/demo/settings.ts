import { DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../../core/contracts/settings';
import { federatedTrainingInputSchema, type FederatedTrainingInput } from '../../core/contracts/rounds';
import { parseOrThrow } from '../../core/contracts/validation';
import { fleetSettingsSchema, type Clock, type FleetSettings } from '../../fleet/settings';

/** The demo's options on the command line. */
export interface DemoOptions {
  readonly rounds: number;
  readonly devices: number;
  readonly data: string;
  readonly labelColumn?: string;
  readonly asRecorded?: true;
  readonly history?: number;
  readonly seed: number;
  readonly speed: number | 'max';
  readonly clock: Clock;
  readonly participants: number | 'all';
  readonly strategy: string;
  readonly tolerance: number;
  readonly windows: number;
  readonly stay?: boolean;
  readonly json?: boolean;
  readonly kafkaPort?: number;
  readonly temporalPort?: number;
  readonly uiPort?: number;
}

/** Settings of all parts of the system; the summary lists them. */
export interface DemoSettings {
  readonly stream: StreamSettings;
  readonly fleet: FleetSettings;
  readonly training: FederatedTrainingInput;
}

/**
 * Live windows that a round needs beside those that it evaluates: the one that is open when its candidate is deployed, and those
 * that the watermark (two windows) keeps open behind the last evaluated one.
 */
const WINDOWS_BESIDE = 4;
/** Rounds that a user may start by hand while the system stays up. */
const ROUNDS_BY_HAND = 10;

/** @throws FedloopError `InvalidInput` naming what is wrong. */
export function demoSettings(options: DemoOptions): DemoSettings {
  const rounds = options.rounds + (options.stay === true ? ROUNDS_BY_HAND : 0);
  const training = parseOrThrow(
    federatedTrainingInputSchema,
    {
      rounds: options.rounds,
      round: {
        participants: options.participants,
        strategy: options.strategy,
        windows: options.windows,
        seed: options.seed,
        // Fewer windows than the gate usually wants are better than a demo that can't promote anything.
        gate: { minWindows: Math.min(3, options.windows) },
      },
    },
    'the options',
  );
  const fleet = parseOrThrow(
    fleetSettingsSchema,
    {
      data: options.data,
      devices: options.devices,
      seed: options.seed,
      clock: options.clock,
      asRecorded: options.asRecorded === true,
      speed: options.speed,
      liveWindows: rounds * (options.windows + WINDOWS_BESIDE) + WINDOWS_BESIDE,
      ...(options.history === undefined ? {} : { historyWindows: options.history }),
      ...(options.labelColumn === undefined ? {} : { labelColumn: options.labelColumn }),
    },
    'the options',
  );
  const { task } = DEFAULT_STREAM_SETTINGS;
  const target = { ...task.target, tolerance: options.tolerance };
  return { stream: { ...DEFAULT_STREAM_SETTINGS, task: { ...task, target } }, fleet, training };
}
