import { ASIDE_LIMITS } from '../../contracts/limits';
import { type HeldEvent } from './aside-events';

export interface OpeningState {
  readonly device: string | null;
  readonly witness: string | null;
}

/**
 * The beginning of a partition, while one device is the only one in a window. Its clock may be the wrong one: when two others are late by
 * it, the partition begins again, with theirs.
 */
export class Opening {
  private device: string | null = null;
  private witness: string | null = null;
  private readonly events: HeldEvent[] = [];
  private bytes = 0;

  /** @returns false when the beginning is over: a second device is in a window, or the first has sent more than is kept. */
  windowed(event: HeldEvent): boolean {
    this.device ??= event.deviceId;
    this.events.push(event);
    this.bytes += event.bytes.length;
    const { events, bytes } = ASIDE_LIMITS;
    return event.deviceId === this.device && this.events.length <= events && this.bytes <= bytes;
  }

  /** An event is late. @returns the first device's events when it is the second device that contradicts it. */
  late(deviceId: string): readonly HeldEvent[] | undefined {
    if (deviceId === this.device) return undefined;
    this.witness ??= deviceId;
    return deviceId === this.witness ? undefined : this.events;
  }

  save(): OpeningState {
    return { device: this.device, witness: this.witness };
  }

  /** Its events are read again with the open windows. */
  restore({ device, witness }: OpeningState): void {
    this.device = device;
    this.witness = witness;
  }
}
