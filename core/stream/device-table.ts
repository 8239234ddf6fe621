/**
 * Devices of one partition: id bytes ↔ a small whole number, under which every other table keeps what belongs to the
 * device. Looked up straight from an event's bytes, so that the hot path makes no string. Numbers of forgotten devices
 * are given out again.
 */
export class DeviceTable {
  private slots = new Int32Array(FIRST_CAPACITY * 2).fill(EMPTY);
  private hashes = new Int32Array(FIRST_CAPACITY);
  private starts = new Int32Array(FIRST_CAPACITY);
  private lengths = new Int32Array(FIRST_CAPACITY);
  private arena = new Uint8Array(FIRST_CAPACITY * EXPECTED_ID_BYTES);
  private arenaEnd = 0;
  private readonly ids: (string | undefined)[] = [];
  private readonly free: number[] = [];
  private count = 0;
  private order: readonly number[] | undefined = [];

  get size(): number {
    return this.count;
  }

  /** One more than the highest number ever given out: how long tables by device have to be. */
  get span(): number {
    return this.ids.length;
  }

  /** The device whose UTF-8 id is `bytes[start, end)`, or −1. `hash` is `hashOfId` of the same bytes. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots, hashes } = this;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const device = slots[slot] ?? EMPTY;
      if (device === EMPTY) return EMPTY;
      if (hashes[device] === hash && this.hasId(device, bytes, start, end)) return device;
    }
  }

  /** Number for a device that `find` does not know. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const device = this.free.pop() ?? this.ids.length;
    this.makeRoom(device, end - start);
    this.ids[device] = TEXT.decode(bytes.subarray(start, end));
    this.hashes[device] = hash;
    this.starts[device] = this.arenaEnd;
    this.lengths[device] = end - start;
    this.arena.set(bytes.subarray(start, end), this.arenaEnd);
    this.arenaEnd += end - start;
    this.count += 1;
    this.order = undefined;
    this.insert(device);
    return device;
  }

  idOf(device: number): string {
    return this.ids[device] ?? '';
  }

  /** All devices in the order of their ids (JavaScript's own: by UTF-16 units): the order of rows everywhere. */
  inOrder(): readonly number[] {
    this.order ??= [...this.ids.keys()]
      .filter((device) => this.ids[device] !== undefined)
      .sort((a, b) => (this.idOf(a) < this.idOf(b) ? -1 : 1));
    return this.order;
  }

  forget(devices: readonly number[]): void {
    if (devices.length === 0) return;
    for (const device of devices) {
      this.ids[device] = undefined;
      this.free.push(device);
    }
    this.count -= devices.length;
    this.order = undefined;
    this.rebuild();
  }

  private hasId(device: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { arena } = this;
    const length = end - start;
    if (this.lengths[device] !== length) return false;
    const from = this.starts[device] ?? 0;
    for (let i = 0; i < length; i += 1) {
      if (arena[from + i] !== bytes[start + i]) return false;
    }
    return true;
  }

  private insert(device: number): void {
    const mask = this.slots.length - 1;
    let slot = (this.hashes[device] ?? 0) & mask;
    while (this.slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    this.slots[slot] = device;
  }

  private makeRoom(device: number, idBytes: number): void {
    if (device >= this.hashes.length) {
      this.hashes = grown(this.hashes);
      this.starts = grown(this.starts);
      this.lengths = grown(this.lengths);
      // At most half full: linear probing stays short.
      this.slots = new Int32Array(this.slots.length * 2).fill(EMPTY);
      this.reinsert();
    }
    while (this.arenaEnd + idBytes > this.arena.length) {
      const larger = new Uint8Array(this.arena.length * 2);
      larger.set(this.arena);
      this.arena = larger;
    }
  }

  /** Slots without the forgotten, and the arena without their bytes. */
  private rebuild(): void {
    const old = this.arena;
    this.arena = new Uint8Array(old.length);
    this.arenaEnd = 0;
    this.ids.forEach((id, device) => {
      if (id === undefined) return;
      const start = this.starts[device] ?? 0;
      const length = this.lengths[device] ?? 0;
      this.arena.set(old.subarray(start, start + length), this.arenaEnd);
      this.starts[device] = this.arenaEnd;
      this.arenaEnd += length;
    });
    this.slots.fill(EMPTY);
    this.reinsert();
  }

  private reinsert(): void {
    this.ids.forEach((id, device) => {
      if (id !== undefined) this.insert(device);
    });
  }
}

const EMPTY = -1;
const FIRST_CAPACITY = 1_024;
const EXPECTED_ID_BYTES = 16;
const TEXT = new TextDecoder();

function grown(table: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(table.length * 2);
  larger.set(table);
  return larger;
}
