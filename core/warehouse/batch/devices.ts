import { readFile, stat } from 'node:fs/promises';
import { VARCHAR } from '@duckdb/node-api';
import { type SerialConnection } from '../database/connection';
import { splitCells } from './csv';
import { insertRows } from '../database/insert';
import { column } from '../database/values';

/** `device_id,series,slot`: the part of a recording that a simulated device replays. A real fleet has no such file. */
export const DEVICES_FILE = 'devices.csv';

interface DeviceEntry {
  readonly deviceId: string;
  readonly series: string;
  /** Devices with the same slot see the same weather: they must not stand on both sides of a comparison. */
  readonly slot: string;
}

/** Whether something other than a file has the name: reading a pipe waits for whoever writes into it, for ever. */
export async function isNoFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() === false;
}

/** Entries of the file; none when it is missing, no file or has other columns. */
export async function readDevices(path: string): Promise<DeviceEntry[]> {
  const text = (await isNoFile(path)) ? '' : await readFile(path, 'utf8').catch(() => '');
  const [header = '', ...lines] = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const names = splitCells(header, ',').map((name) => name.trim().toLowerCase());
  const [device, series, slot] = ['device_id', 'series', 'slot'].map((name) => names.indexOf(name));
  if (device === undefined || device < 0 || slot === undefined || slot < 0) return [];
  return lines.flatMap((line) => {
    const cells = splitCells(line, ',');
    const deviceId = cells[device] ?? '';
    const entry = { deviceId, series: cells[series ?? -1] ?? '', slot: cells[slot] ?? '' };
    return deviceId === '' || entry.slot === '' ? [] : [entry];
  });
}

/** Store the file's entries; without a file the table stays as it is. */
export async function loadDevices(connection: SerialConnection, path: string): Promise<void> {
  const entries = await readDevices(path);
  if (entries.length === 0) return;
  const own = {
    device_id: column(entries, VARCHAR, ({ deviceId }) => deviceId),
    series: column(entries, VARCHAR, ({ series }) => series),
    slot: column(entries, VARCHAR, ({ slot }) => slot),
  };
  await insertRows(connection, 'devices', { own, distinct: 'device_id' }, 'replace');
}
