import { type DeviceId } from '../../core/contracts/ids';
import { eventText } from '../../fleet/event-text';
import { SETTINGS, deviceIds, MAX_DELAY_MILLIS, type Workload } from './workload';

/** One event as it goes into the log. `millis`: its own time; `arrival`: when it comes in. */
export interface GeneratedEvent {
  readonly device: number;
  readonly millis: number;
  readonly arrival: number;
  readonly text: string;
}

/**
 * Events of a fleet by number: devices take turns, each sends evenly, and its readings follow a daily wave with noise of
 * its own. The same number always gives the same event.
 */
export class EventGenerator {
  readonly ids: readonly DeviceId[];
  private readonly delays: Uint16Array;

  constructor(private readonly workload: Workload) {
    this.ids = deviceIds(workload.devices);
    this.delays = Uint16Array.from(this.ids, (_, device) => Math.floor(noise(device, 7) * MAX_DELAY_MILLIS));
  }

  /** When event `number` comes in. */
  arrivalOf(number: number): number {
    return this.workload.startMillis + MAX_DELAY_MILLIS + Math.floor((number * 1_000) / this.workload.rate);
  }

  event(number: number): GeneratedEvent {
    const device = number % this.workload.devices;
    const arrival = this.arrivalOf(number);
    const millis = arrival - (this.delays[device] ?? 0);
    return { device, millis, arrival, text: this.textOf(device, number, millis) };
  }

  /** Mean temperature of the device at a time, without noise: what its past is made of too. */
  levelOf(device: number, millis: number): number {
    return 15 + 10 * noise(device, 1) + 6 * Math.sin(millis / DAY_IN_RADIANS + 6.28 * noise(device, 2));
  }

  private textOf(device: number, number: number, millis: number): string {
    return eventText({
      device: this.ids[device] ?? NO_DEVICE,
      millis,
      sensors: SETTINGS.task,
      target: this.levelOf(device, millis) + noise(number, 3) - 0.5,
      covariates: [
        40 + 20 * noise(device, 4) + noise(number, 5),
        1_000 + 20 * noise(device, 6) + noise(number, 6),
      ],
      label: null,
    });
  }
}

const DAY_IN_RADIANS = 86_400_000 / (2 * Math.PI);
const NO_DEVICE = '' as DeviceId;

/** A number in [0, 1) that looks random and follows from its arguments (the finaliser of MurmurHash3). */
export function noise(number: number, salt: number): number {
  let bits = Math.imul(number ^ Math.imul(salt, 0x9e3779b1), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
}
