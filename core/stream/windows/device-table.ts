import { hashOfId } from '../parse/event';
import { lengthened } from './reading-pool';

/**
 * Devices of one partition: id bytes ↔ a small whole number, the key of the device in every other table. Devices are looked
 * up straight from an event's bytes, so that the hot path makes no string. Numbers of forgotten devices are used again.
 */
export class DeviceTable {
  /** Device and hash in turns, so that a look-up finds both in one cache line. */
  private slots = emptySlots(FIRST_CAPACITY);
  /** By device: its hash, for when the slots are filled again. */
  private hashes = new Int32Array(FIRST_CAPACITY);
  /** By device: where its id begins in the arena, and how many bytes it has. */
  private places = new Int32Array(FIRST_CAPACITY * PLACE);
  private arena = new Uint8Array(FIRST_CAPACITY * EXPECTED_ID_BYTES);
  private arenaEnd = 0;
  private readonly ids: (string | undefined)[] = [];
  private readonly free: number[] = [];
  private count = 0;
  private order: readonly number[] | undefined = [];

  get size(): number {
    return this.count;
  }

  /** The device whose UTF-8 id is `bytes[start, end)`, or −1. `hash` is `hashOfId` of the same bytes. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const { slots } = this;
    const mask = slots.length - 1;
    for (let slot = (hash << 1) & mask; ; slot = (slot + SLOT) & mask) {
      const device = slots[slot] ?? EMPTY;
      if (device === EMPTY) return EMPTY;
      if (slots[slot + HASH] === hash && this.hasId(device, bytes, start, end)) return device;
    }
  }

  /** Number for a device that `find` does not know. */
  add(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const device = this.free.pop() ?? this.ids.length;
    this.makeRoom(device, end - start);
    this.ids[device] = TEXT.decode(bytes.subarray(start, end));
    this.hashes[device] = hash;
    this.places[device * PLACE] = this.arenaEnd;
    this.places[device * PLACE + LENGTH] = end - start;
    this.arena.set(bytes.subarray(start, end), this.arenaEnd);
    this.arenaEnd += end - start;
    this.count += 1;
    this.order = undefined;
    this.insert(device);
    return device;
  }

  /** Number of the device with this id; a new one where it has none. */
  numberOf(id: string): number {
    const bytes = UTF8.encode(id);
    const hash = hashOfId(bytes, 0, bytes.length);
    const known = this.find(bytes, 0, bytes.length, hash);
    return known === EMPTY ? this.add(bytes, 0, bytes.length, hash) : known;
  }

  /** Number of the device with this id, or −1. */
  findId(id: string): number {
    const bytes = UTF8.encode(id);
    return this.find(bytes, 0, bytes.length, hashOfId(bytes, 0, bytes.length));
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
    const { arena, places } = this;
    const length = end - start;
    if (places[device * PLACE + LENGTH] !== length) return false;
    const from = places[device * PLACE] ?? 0;
    for (let i = 0; i < length; i += 1) {
      if (arena[from + i] !== bytes[start + i]) return false;
    }
    return true;
  }

  private insert(device: number): void {
    const mask = this.slots.length - 1;
    const hash = this.hashes[device] ?? 0;
    let slot = (hash << 1) & mask;
    while (this.slots[slot] !== EMPTY) slot = (slot + SLOT) & mask;
    this.slots[slot] = device;
    this.slots[slot + HASH] = hash;
  }

  private makeRoom(device: number, idBytes: number): void {
    if (device >= this.hashes.length) {
      this.hashes = lengthened(this.hashes, this.hashes.length * 2);
      this.places = lengthened(this.places, this.places.length * 2);
      this.slots = emptySlots(this.hashes.length);
      this.reinsert();
    }
    while (this.arenaEnd + idBytes > this.arena.length) {
      const larger = new Uint8Array(this.arena.length * 2);
      larger.set(this.arena);
      this.arena = larger;
    }
  }

  /** Remove forgotten devices from the slots, and their bytes from the arena. */
  private rebuild(): void {
    const old = this.arena;
    this.arena = new Uint8Array(old.length);
    this.arenaEnd = 0;
    this.ids.forEach((id, device) => {
      if (id === undefined) return;
      const start = this.places[device * PLACE] ?? 0;
      const length = this.places[device * PLACE + LENGTH] ?? 0;
      this.arena.set(old.subarray(start, start + length), this.arenaEnd);
      this.places[device * PLACE] = this.arenaEnd;
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
/** U+FEFF is a character of an id like any other. */
const TEXT = new TextDecoder('utf-8', { ignoreBOM: true });
const UTF8 = new TextEncoder();

/** Numbers of a slot: the device, then its hash. */
const SLOT = 2;
const HASH = 1;

/** Numbers of a place in the arena: its start, then its length. */
const PLACE = 2;
const LENGTH = 1;

/** At most half of the slots get filled: linear probing stays short. */
function emptySlots(capacity: number): Int32Array<ArrayBuffer> {
  return new Int32Array(capacity * 2 * SLOT).fill(EMPTY);
}
