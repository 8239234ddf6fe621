/** So many new devices within the span are no growing fleet: ids have gone wrong, or somebody makes them up. */
const FLOOD_DEVICES = 10_000;
const FLOOD_SPAN_MS = 60_000;

/** Notices when a partition's devices shoot up, so that there is one warning a flood, not one an event. */
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
