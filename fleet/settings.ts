import { z } from 'zod';
import { FedloopError } from '../core/contracts/errors';
import { timestampTextSchema } from '../core/contracts/timestamps';
import { parseOrThrow } from '../core/contracts/validation';
import { CHANGE_WINDOW, HISTORY_WINDOWS, LIVE_START_ISO, MIN_READINGS } from './constants';

/** `independent`: devices live at hours of their own. `shared`: all at the same hour, as in a real fleet. */
export const CLOCKS = ['independent', 'shared'] as const;
export type Clock = (typeof CLOCKS)[number];

/**
 * What happens to the fleet. `everyday` has a little of every fault; `stationary` mild ones alone, as the other scenarios
 * that change at a live window (`season`, `clock`, `clock-half`, `recal`); `faults` has 20 % broken sensors; in the attacks
 * some devices send updates with the opposite sign or far too large.
 */
export const SCENARIOS = [
  'everyday',
  'stationary',
  'season',
  'clock',
  'clock-half',
  'recal',
  'faults',
  'attack',
  'attack-30',
  'attack-scaled',
] as const;
export type Scenario = (typeof SCENARIOS)[number];

/** Where and how the fleet plays. Plain JSON in and out, so that it can travel in an environment variable. */
export const fleetSettingsSchema = z.strictObject({
  /** Folder of CSV (also .csv.gz) or Parquet files with device_id, timestamp, temperature and, if there, humidity, pressure. */
  data: z.string().min(1).default('data/weather'),
  /** Column of the recorded data that marks real anomalies (1 or true). */
  labelColumn: z.string().min(1).optional(),
  devices: z.int().min(1).max(1_000_000).default(2_407),
  seed: z.int().min(0).max(0x7fffffff).default(1),
  clock: z.enum(CLOCKS).default('independent'),
  scenario: z
    .enum(SCENARIOS, {
      error: (issue) => `unknown scenario ${JSON.stringify(issue.input)}; there are ${SCENARIOS.join(', ')}`,
    })
    .default('everyday'),
  /** Every series as it was recorded is one device; nothing is invented, and `devices` is the most that there are. */
  asRecorded: z.boolean().default(false),
  /** Live window (0 = the first) from which on a scenario's change holds. */
  changeWindow: z.int().min(0).default(CHANGE_WINDOW),
  /** Windows of the past before the first live one. */
  historyWindows: z.int().min(25).max(100_000).default(HISTORY_WINDOWS),
  /** Live windows that slots have room for; windows beyond them replay hours that other devices trained on. */
  liveWindows: z.int().min(1).max(100_000).default(120),
  readingsPerWindow: z.int().min(MIN_READINGS).max(10_000).default(MIN_READINGS),
  /** When the first live window begins; moved to the start of its window. */
  liveStart: timestampTextSchema.default(LIVE_START_ISO),
  /** `max` = as fast as the stream worker keeps up; a number = times the wall clock. */
  speed: z
    .union([z.literal('max'), z.number().positive().max(1_000_000)], {
      error: 'must be "max" or a number above 0',
    })
    .default('max'),
  /** `requests`: play the windows that rounds request, and pause in between. `free`: play without end. */
  pace: z.enum(['requests', 'free']).default('requests'),
});
export type FleetSettings = z.infer<typeof fleetSettingsSchema>;

/** Environment variable that carries the settings as one JSON object; everything left out has its default. */
export const FLEET_VARIABLE = 'FEDLOOP_SIMULATION';

/** @throws FedloopError `InvalidConfig` naming the fields that are wrong. */
export function fleetSettingsFrom(env: NodeJS.ProcessEnv = process.env): FleetSettings {
  const text = env[FLEET_VARIABLE];
  let value: unknown = {};
  try {
    if (text !== undefined && text !== '') value = JSON.parse(text);
  } catch (cause) {
    throw new FedloopError('InvalidConfig', `${FLEET_VARIABLE} is not JSON`, {
      hint: `Write it like {"devices": 2407, "data": "data/weather"}.`,
      cause,
    });
  }
  return parseOrThrow(fleetSettingsSchema, value, FLEET_VARIABLE, 'InvalidConfig');
}
