/** Records looked at around one for its time: a stamp that two neighbours contradict does not count. */
const NEIGHBOURS = 2;

interface Queue<Item> {
  readonly items: Item[];
  /** By item: milliseconds since 1970 at which it arrived. */
  readonly times: number[];
  /** Items before it are taken. */
  at: number;
}

/**
 * Puts the records of several partitions back into the order in which they arrived. A backlog is read partition by partition, a megabyte
 * at a time; without this, one partition would be hours ahead of another, and devices that share a partition of the event stream would
 * make one another's readings late.
 */
export class ArrivalOrder<Item> {
  private readonly queues = new Map<number, Queue<Item>>();

  /** @param timeOf milliseconds since 1970 of a record; those of one partition rise, but for clocks that are wrong. */
  constructor(private readonly timeOf: (item: Item) => number) {}

  add(partition: number, items: readonly Item[]): void {
    const queue = this.queues.get(partition) ?? { items: [], times: [], at: 0 };
    this.queues.set(partition, queue);
    const stamps = items.map(this.timeOf);
    for (const [index, item] of items.entries()) {
      queue.items.push(item);
      queue.times.push(medianAround(stamps, index));
    }
  }

  /** Forget what waits of a partition. */
  drop(partition: number): void {
    this.queues.delete(partition);
  }

  /** Records of a partition that wait. */
  waiting(partition: number): number {
    const queue = this.queues.get(partition);
    return queue === undefined ? 0 : queue.items.length - queue.at;
  }

  /**
   * Take the records that arrived first, all of one partition, up to the first that one of another partition precedes.
   * @param most so many at once.
   * @returns undefined when nothing waits.
   */
  take(most: number): { readonly partition: number; readonly items: readonly Item[] } | undefined {
    let first: { readonly partition: number; readonly queue: Queue<Item>; readonly time: number } | undefined;
    let others = Infinity;
    for (const [partition, queue] of this.queues) {
      const time = queue.times[queue.at];
      if (time === undefined) continue;
      if (first === undefined || time < first.time) {
        others = first?.time ?? others;
        first = { partition, queue, time };
      } else others = Math.min(others, time);
    }
    if (first === undefined) return undefined;
    const { partition, queue } = first;
    const from = queue.at;
    const end = Math.min(from + most, queue.items.length);
    do queue.at += 1;
    while (queue.at < end && (queue.times[queue.at] ?? 0) <= others);
    const items = queue.items.slice(from, queue.at);
    if (queue.at === queue.items.length) this.queues.delete(partition);
    return { partition, items };
  }
}

function medianAround(values: readonly number[], index: number): number {
  const value = values[index] ?? NaN;
  if (risesAround(values, index)) return value;
  const around = values.slice(Math.max(0, index - NEIGHBOURS), index + NEIGHBOURS + 1).sort((a, b) => a - b);
  return around[around.length >> 1] ?? value;
}

/** Whether all neighbours are there and in order: the value in the middle is their median. */
function risesAround(values: readonly number[], index: number): boolean {
  for (let at = index - NEIGHBOURS; at < index + NEIGHBOURS; at += 1)
    if (!((values[at] ?? NaN) <= (values[at + 1] ?? NaN))) return false;
  return true;
}
