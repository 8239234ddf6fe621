/** So many more devices than a while ago is no fleet that grows, but ids gone wrong, or somebody who makes them up. */
const FLOOD_DEVICES = 10_000;
/** A while, in milliseconds. */
const FLOOD_SPAN_MS = 60_000;

/** Notices when a partition's devices shoot up, so that it can be told once a flood, not once an event. */
export class FloodWatch {
  private since: { readonly devices: number; readonly atMillis: number } | undefined;

  /**
   * @param devices known to the partition now.
   * @returns how many are new, when that is a flood.
   */
  look(devices: number, atMillis: number): number | undefined {
    const { since } = this;
    const grown = devices - (since?.devices ?? 0);
    if (since !== undefined && grown < FLOOD_DEVICES && atMillis - since.atMillis < FLOOD_SPAN_MS)
      return undefined;
    this.since = { devices, atMillis };
    return grown >= FLOOD_DEVICES ? grown : undefined;
  }
}
