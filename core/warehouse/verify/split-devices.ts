import { fewOf, shortName } from '../../contracts/named';

/** A device whose readings lie in more than one partition: each of its rows is made of a part of them. */
export interface SplitDevice {
  readonly device: string;
  readonly partitions: readonly number[];
}

/** Finds devices that have rows of several partitions, from the rows of windows as they come. */
export class SplitDevices {
  private readonly home = new Map<string, number>();
  private readonly partitions = new Map<string, Set<number>>();

  see(partition: number, devices: readonly string[]): void {
    for (const device of devices) {
      const home = this.home.get(device);
      if (home === undefined) this.home.set(device, partition);
      else if (home !== partition) {
        const known = this.partitions.get(device) ?? new Set([home]);
        this.partitions.set(device, known.add(partition));
      }
    }
  }

  /** In the order of their ids. */
  found(): readonly SplitDevice[] {
    return [...this.partitions]
      .map(([device, partitions]) => ({ device, partitions: [...partitions].sort((a, b) => a - b) }))
      .sort((a, b) => (a.device < b.device ? -1 : 1));
  }
}

/** What is wrong with them in one sentence, which names a few; undefined where there are none. */
export function splitDevicesSentence(devices: readonly string[], count = devices.length): string | undefined {
  if (count === 0) return undefined;
  const who = count === 1 ? '1 device sends' : `${count.toLocaleString('en')} devices send`;
  return `${who} to more than one partition (key the topic by device): ${fewOf(devices.map(shortName), count)}`;
}
