import { type StreamSettings } from '../../contracts/settings';
import { type Micros } from '../../contracts/time';

const NONE = -1;

/** What a checkpoint has of a clock; the device by number, or by id. null = none. */
export interface ClockState<Device> {
  readonly latest: Micros;
  readonly second: Micros;
  readonly leader: Device | null;
  readonly contradicted: boolean;
}

/**
 * The event time of one partition, and how far one device may be ahead of the others. Up to `reach` ahead of all others a device moves the
 * time by itself: the watermark then stays behind what another device has sent, so nothing that is on time becomes late.
 */
export class PartitionClock {
  /** Largest event time in a window so far; −Infinity before the first. */
  latest: Micros = -Infinity;
  /** The device of that event, and the largest event time of any other. */
  private leader = NONE;
  private second: Micros = -Infinity;
  /** Another device has spoken since the leader was last within reach of it: the others are not just silent. */
  private contradicted = false;
  private readonly reach: Micros;
  private readonly reachOfPair: Micros;

  constructor({ watermarkMicros, futureMicros, clockQuorum, task: { windowMicros } }: StreamSettings) {
    this.reach = clockQuorum === 1 ? Infinity : Math.max(watermarkMicros, windowMicros);
    this.reachOfPair = Math.max(this.reach, watermarkMicros + windowMicros + futureMicros);
  }

  /** A device's event went into a window. */
  note(device: number, micros: Micros): void {
    if (device === this.leader) {
      if (micros > this.latest) this.latest = micros;
      if (micros <= this.second + this.reach) this.contradicted = false;
    } else if (micros > this.latest) {
      this.second = this.latest;
      this.latest = micros;
      this.leader = device;
      this.contradicted = false;
    } else {
      if (micros > this.second) this.second = micros;
      this.contradicted = true;
    }
  }

  /** Whether an event of this time can be far ahead at all. Asked for each event: it costs next to nothing. */
  mayBeAhead(micros: Micros): boolean {
    return micros > this.second + this.reach;
  }

  /**
   * Whether a device's event is too far ahead for one device of at least three: of everything so far; or, where the device is ahead already
   * and the others are not just silent, of all others. While they are, it may go on as it did.
   * @param isDoubted earlier events of the device wait.
   */
  isAhead(device: number, micros: Micros, isDoubted: boolean): boolean {
    if (micros > this.latest + this.reach) return true;
    const isContested = device === this.leader && (this.contradicted || isDoubted);
    return isContested && micros > this.latest && micros > this.second + this.reach;
  }

  /**
   * The same for one of two devices. The other's silence says little, and which of the two is right cannot be known: more is allowed, what
   * closes the window that the other was in, and the next.
   */
  isAheadOfOne(micros: Micros): boolean {
    return micros > this.latest + this.reachOfPair;
  }

  /** Whether an event that had to wait is within reach of what another device has sent by now. */
  isConfirmed(device: number, micros: Micros): boolean {
    return micros <= (device === this.leader ? this.second : this.latest) + this.reach;
  }

  /** Start again, as if nothing had come. */
  reset(): void {
    this.restore({ latest: -Infinity, second: -Infinity, leader: null, contradicted: false });
  }

  /** Numbers of forgotten devices are given to others. */
  forget(devices: readonly number[]): void {
    if (devices.includes(this.leader)) this.leader = NONE;
  }

  save(): ClockState<number> {
    const { latest, second, leader, contradicted } = this;
    return { latest, second, leader: leader === NONE ? null : leader, contradicted };
  }

  restore({ latest, second, leader, contradicted }: ClockState<number>): void {
    this.latest = latest;
    this.second = second;
    this.leader = leader ?? NONE;
    this.contradicted = contradicted;
  }
}
