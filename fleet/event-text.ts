import { type DeviceId } from '../core/contracts/ids';
import { type Sensors } from '../core/contracts/task';

/** One reading as a device sends it; NaN where it has no such sensor, null where anomalies are not marked. */
export interface Reading {
  readonly device: DeviceId;
  readonly millis: number;
  readonly sensors: Sensors;
  readonly target: number;
  /** In the task's order. */
  readonly covariates: readonly number[];
  readonly label: boolean | null;
}

/**
 * The event as JSON. Written by hand because the fleet writes hundreds of thousands: ids of a plan and ISO times need no
 * escaping, and a sensor has two decimals, or as many as its unit needs.
 */
export function eventText({ device, millis, sensors, target, covariates, label }: Reading): string {
  let text = `{"device_id":"${device}","timestamp":"${isoText(millis)}","${sensors.target.sensor}":${decimalText(target, targetDecimals(sensors))}`;
  for (const [index, { sensor }] of sensors.covariates.entries()) {
    const value = covariates[index] ?? Number.NaN;
    if (!Number.isNaN(value)) text += `,"${sensor}":${decimalText(value, covariateDecimals(value))}`;
  }
  if (label !== null) text += label ? ',"label":1' : ',"label":0';
  return `${text}}`;
}

/** Decimals that a target has: two where the tolerance is around 1, one more for each tenth of it. */
export function targetDecimals({ target: { tolerance } }: Sensors): number {
  return TWO + Math.max(0, Math.floor(-Math.log10(tolerance)));
}

/** Decimals that a covariate's value has: two, and below 1 as many more as leave it two digits. */
export function covariateDecimals(value: number): number {
  const size = Math.abs(value);
  return size >= 1 || size === 0 ? TWO : TWO + Math.min(MOST_ZEROS, Math.ceil(-Math.log10(size)));
}

export function roundTo(decimals: number, value: number): number {
  return decimals === TWO ? Math.round(value * 100) / 100 : Number(value.toFixed(decimals));
}

const TWO = 2;
/** Smaller numbers are noise to any sensor. */
const MOST_ZEROS = 12;

const TWO_DIGITS = Array.from({ length: 100 }, (_, number) => String(number).padStart(2, '0'));
const THREE_DIGITS = Array.from({ length: 1_000 }, (_, number) => String(number).padStart(3, '0'));

/** A number with two decimals, quickly, or with more. */
function decimalText(value: number, decimals: number): string {
  if (decimals !== TWO) return value.toFixed(decimals);
  const hundredths = Math.round(Math.abs(value) * 100);
  const cents = hundredths % 100;
  return `${value < 0 && hundredths > 0 ? '-' : ''}${(hundredths - cents) / 100}.${TWO_DIGITS[cents] ?? '00'}`;
}

/** Texts of the seconds met last; a window has few, and devices come to each of them in turn. */
const knownSeconds = new Map<number, string>();
const MAX_KNOWN_SECONDS = 1_000;

/** ISO 8601 with milliseconds. */
function isoText(millis: number): string {
  const rest = ((millis % 1_000) + 1_000) % 1_000;
  const second = millis - rest;
  let text = knownSeconds.get(second);
  if (text === undefined) {
    if (knownSeconds.size >= MAX_KNOWN_SECONDS) knownSeconds.clear();
    text = new Date(second).toISOString().slice(0, 20);
    knownSeconds.set(second, text);
  }
  return `${text}${THREE_DIGITS[rest] ?? '000'}Z`;
}

/** Texts laid one behind the other in large pieces of memory: a buffer each would keep the garbage collector busy. */
export class TextSlab {
  private slab = Buffer.alloc(0);
  private used = 0;

  /** @param text ASCII, at most `SLAB_BYTES` long */
  put(text: string): Buffer {
    if (this.used + text.length > this.slab.length) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.used = 0;
    }
    const from = this.used;
    this.used += this.slab.write(text, from, 'latin1');
    return this.slab.subarray(from, this.used);
  }
}

const SLAB_BYTES = 1 << 20;
