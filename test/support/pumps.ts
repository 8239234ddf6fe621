/** The pumps of docs/your-fleet.md: twelve devices, a message every 15 seconds of event time, in a shape of their own. */
const PUMPS = 12;
const PUMP_WINDOW_SECONDS = 60;
const EVERY_SECONDS = 15;

/** A message, and when it is sent in milliseconds since 1970. */
export interface PumpMessage {
  readonly pump: string;
  readonly at: number;
  readonly power: number;
  readonly vibration: number;
}

/** Readings of window `window`, counted from `start` in milliseconds; negative ones lie before. Two of window 7 say that there is none. */
export function pumpReadings(start: number, window: number): readonly PumpMessage[] {
  const readings: PumpMessage[] = [];
  for (let second = 0; second < PUMP_WINDOW_SECONDS; second += EVERY_SECONDS)
    for (let pump = 0; pump < PUMPS; pump += 1) {
      const level = levelOf(pump, window);
      const isMissing = window === 7 && pump === 3 && second < 2 * EVERY_SECONDS;
      readings.push({
        pump: `pump-${pump}`,
        at: start + (window * PUMP_WINDOW_SECONDS + second) * 1_000,
        power: isMissing ? -999 : rounded(400 + 20 * pump + 60 * level + 5 * Math.sin(second + pump), 1),
        vibration: rounded(2.5 + level / 3, 2),
      });
    }
  return readings;
}

/** Deterministic, uneven from device to device and window to window: −1 to 1. */
export function levelOf(device: number, window: number): number {
  return Math.sin(window / 5 + device) * 0.8 + Math.sin(window * 12.9898 + device * 78.233) * 0.2;
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** The message as the pump sends it. */
export function pumpMessage({ pump, at, power, vibration }: PumpMessage): string {
  return JSON.stringify({
    meta: { id: pump, site: 'north' },
    ts: at / 1_000,
    p: { kw: power },
    v: { rms: vibration },
  });
}

/** Windows as a CSV file of history. */
export function pumpHistory(start: number, from: number, until: number): string {
  const lines = ['device_id,timestamp,power,vibration'];
  for (let window = from; window < until; window += 1)
    for (const { pump, at, power, vibration } of pumpReadings(start, window))
      lines.push(`${pump},${new Date(at).toISOString()},${power},${vibration}`);
  return `${lines.join('\n')}\n`;
}
