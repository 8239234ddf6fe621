/** So many single-precision numbers of each device, 0 to begin with. Rounded at each step, so that a checkpoint is small and still exact. */
export class DeviceNumbers {
  private numbers: Float32Array;

  /** @param count numbers of a device. */
  constructor(readonly count: number) {
    this.numbers = new Float32Array(FIRST_DEVICES * count);
  }

  /** All numbers; those of a device begin where `placeOf` says. Valid until the next call of it. */
  get all(): Float32Array {
    return this.numbers;
  }

  /** Where the numbers of a device begin; there is room for them. */
  placeOf(device: number): number {
    const needed = (device + 1) * this.count;
    if (needed > this.numbers.length) {
      const larger = new Float32Array(Math.max(needed, 2 * this.numbers.length));
      larger.set(this.numbers);
      this.numbers = larger;
    }
    return device * this.count;
  }

  forget(device: number): void {
    this.numbers.fill(0, device * this.count, (device + 1) * this.count);
  }

  /** Begin as another table of as many numbers is. */
  copyFrom({ numbers }: DeviceNumbers): void {
    this.numbers = numbers.slice();
  }

  /** A copy of the numbers of the devices, one device after the other. */
  save(devices: readonly number[]): Float32Array<ArrayBuffer> {
    const saved = new Float32Array(devices.length * this.count);
    devices.forEach((device, i) => {
      saved.set(this.numbers.subarray(device * this.count, (device + 1) * this.count), i * this.count);
    });
    return saved;
  }

  restore(devices: readonly number[], saved: Float32Array): void {
    devices.forEach((device, i) => {
      const place = this.placeOf(device);
      this.numbers.set(saved.subarray(i * this.count, (i + 1) * this.count), place);
    });
  }
}

const FIRST_DEVICES = 256;
