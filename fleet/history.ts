import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { sensorsOf } from '../core/contracts/task';
import { parseJson } from '../core/contracts/validation';
import { covariateDecimals, roundTo, targetDecimals } from './event-text';
import { type LiveGrid } from './events';
import { windowSeries } from './means';
import { type DevicePlan, type FleetPlan } from './plan';
import { type RecordedSeries } from './recording';

export const DEVICES_FILE = 'devices.csv';
export const TRUTH_FILE = 'truth.json';

/** The truth about the fleet, faults and characters, for reports and tests alone. */
export const fleetTruthSchema = z.object({
  seed: z.int(),
  scenario: z.string(),
  clock: z.string(),
  history_windows: z.int(),
  live_windows: z.int(),
  change_window: z.int(),
  /** The history files that belong to this fleet. */
  files: z.array(z.string()),
  devices: z.array(
    z.object({
      device_id: z.string(),
      series: z.string(),
      slot: z.int(),
      /** `none` = healthy. */
      fault: z.string(),
      update_factor: z.number(),
      character: z.record(z.string(), z.number()),
    }),
  ),
});
export type FleetTruth = z.infer<typeof fleetTruthSchema>;

/**
 * Write the fleet's past and its truth into a folder: `history-<series>.csv` with one logged reading a device and window,
 * stamped with the window's start; `devices.csv`; `truth.json`. Every file appears whole or not at all, and history files of
 * the fleet that was there before are removed. The same plan writes the same bytes.
 */
export async function writeHistory(
  plan: FleetPlan,
  grid: LiveGrid,
  directory: string,
): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const names = fileNames(plan);
  const before = await filesOfFleetBefore(directory);
  for (const [series, name] of names) {
    const devices = plan.devices.filter((device) => device.series === series);
    await writeWhole(join(directory, name), historyLines(plan, grid, devices));
  }
  await writeWhole(join(directory, DEVICES_FILE), [devicesCsv(plan)]);
  const files = [...names.values()];
  await writeWhole(join(directory, TRUTH_FILE), [`${JSON.stringify(truthOf(plan, files), null, 1)}\n`]);
  await Promise.all(
    before.filter((name) => !files.includes(name)).map((name) => rm(join(directory, name), { force: true })),
  );
  return files.map((name) => join(directory, name));
}

export function truthOf(plan: FleetPlan, files: readonly string[]): FleetTruth {
  return {
    seed: plan.seed,
    scenario: plan.scenario,
    clock: plan.clock,
    history_windows: plan.historyWindows,
    live_windows: plan.liveWindows,
    change_window: plan.changeWindow,
    files: [...files],
    devices: plan.devices.map((device) => ({
      device_id: device.id,
      series: device.series.id,
      slot: device.slot,
      fault: device.fault,
      update_factor: device.updateFactor,
      character: { ...device.character },
    })),
  };
}

/** One file a series that some device replays, named so that any series id is a harmless file name. */
function fileNames(plan: FleetPlan): ReadonlyMap<RecordedSeries, string> {
  const names = new Map<RecordedSeries, string>();
  const taken = new Set<string>();
  for (const { series } of plan.devices) {
    if (names.has(series)) continue;
    const slug = series.id.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 64);
    let name = `history-${slug}.csv`;
    for (let again = 2; taken.has(name.toLowerCase()); again += 1) name = `history-${slug}-${again}.csv`;
    taken.add(name.toLowerCase());
    names.set(series, name);
  }
  return names;
}

/** CSV text in pieces of one device each, so that a file never stands in memory whole. */
function* historyLines(plan: FleetPlan, grid: LiveGrid, devices: readonly DevicePlan[]): Generator<string> {
  const windows = plan.historyWindows;
  const times = Array.from({ length: windows }, (_, index) =>
    new Date((grid.liveStart + (index - windows) * grid.windowMicros) / 1_000).toISOString(),
  );
  yield `device_id,timestamp,${sensorsOf(grid.sensors).join(',')}\n`;
  for (const device of devices) {
    const { target, covariates } = windowSeries(plan, device, -windows, windows);
    let text = '';
    for (let index = 0; index < windows; index += 1) {
      if (Number.isNaN(target[index])) continue;
      const cells = [
        cell(target[index], targetDecimals(grid.sensors)),
        ...covariates.map((values) => cell(values[index], covariateDecimals(values[index] ?? NaN))),
      ];
      text += `${device.id},${times[index] ?? ''},${cells.join(',')}\n`;
    }
    yield text;
  }
}

function cell(value: number | undefined, decimals: number): string {
  return value === undefined || Number.isNaN(value) ? '' : String(roundTo(decimals, value));
}

function devicesCsv(plan: FleetPlan): string {
  const lines = plan.devices.map(({ id, series, slot }) => `${id},${quotedCell(series.id)},${slot}`);
  return `device_id,series,slot\n${lines.join('\n')}\n`;
}

function quotedCell(text: string): string {
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function writeWhole(path: string, pieces: Iterable<string>): Promise<void> {
  const unfinished = `${path}.${process.pid}.tmp`;
  await pipeline(Readable.from(pieces), createWriteStream(unfinished));
  await rename(unfinished, path);
}

async function filesOfFleetBefore(directory: string): Promise<readonly string[]> {
  const text = await readFile(join(directory, TRUTH_FILE), 'utf8').catch(() => '{}');
  const before = z
    .object({ files: z.array(z.string().regex(/^history-[A-Za-z0-9._-]+\.csv$/)) })
    .safeParse(parseJson(text));
  return before.success ? before.data.files : [];
}
