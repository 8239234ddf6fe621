import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { markRow } from '../../core/warehouse/queries/marks-route';

/** How far the tables were at some moment: per topic and partition the last block whose rows can be read. */
export interface Look {
  readonly atMillis: number;
  readonly places: ReadonlyMap<string, Readable>;
}

export interface Readable {
  readonly windowStart: number;
  readonly ordinal: number;
  readonly last: boolean;
}

export type ResultTopic = z.infer<typeof markRow>['topic'];

export function placeKey(topic: ResultTopic, partition: number): string {
  return `${topic}/${partition}`;
}

const answerSchema = z.object({ rows: z.array(z.record(z.string(), z.unknown())) });

/** Ask the analytics worker, as anybody would. */
export async function ask<Row extends z.ZodType>(
  url: string,
  row: Row,
  sql: string,
): Promise<z.infer<Row>[]> {
  const response = await fetch(`${url}/sql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ sql }),
  });
  return rowsOf(row, response);
}

/** How far the tables are. A look costs the worker nothing, so that looking often does not change what is measured. */
async function marksOf(url: string): Promise<z.infer<typeof markRow>[]> {
  return rowsOf(markRow, await fetch(`${url}/marks`));
}

async function rowsOf<Row extends z.ZodType>(row: Row, response: Response): Promise<z.infer<Row>[]> {
  if (!response.ok)
    throw new FedloopError('WarehouseFailed', `the analytics worker answered ${response.status}`);
  return z.array(row).parse(answerSchema.parse(await response.json()).rows);
}

/**
 * Looks at the sink's marks again and again through `/marks`. They change in the same transaction as the rows, so a mark that can be read
 * means that the rows can.
 */
export class Watch {
  readonly looks: Look[] = [];
  private stopped = false;
  private readonly ended: Promise<void>;

  /** @param everyMillis between two looks: the resolution of what is measured by them. */
  constructor(
    private readonly url: string,
    private readonly everyMillis: number,
  ) {
    this.ended = this.run();
    this.ended.catch(() => undefined);
  }

  /** Resolves when `done` says so of a look. */
  async until(done: (look: Look) => boolean, timeoutMillis: number): Promise<Look> {
    const deadline = Date.now() + timeoutMillis;
    for (let seen = 0; Date.now() < deadline;) {
      for (; seen < this.looks.length; seen += 1) {
        const look = this.looks[seen];
        if (look !== undefined && done(look)) return look;
      }
      await Promise.race([sleep(this.everyMillis), this.ended]);
    }
    throw new FedloopError('TooFewWindows', 'the rows of the last window did not arrive in time');
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.ended;
  }

  /** When a block could be read: the time of the first look that shows it or one behind it. */
  readableAt(
    topic: ResultTopic,
    partition: number,
    windowStart: number,
    ordinal: number,
  ): number | undefined {
    const key = placeKey(topic, partition);
    let low = 0;
    let high = this.looks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const place = this.looks[middle]?.places.get(key);
      if (place !== undefined && isAtOrBehind(place, windowStart, ordinal)) high = middle;
      else low = middle + 1;
    }
    return this.looks[low]?.atMillis;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      const places = (await marksOf(this.url)).map(
        ({ topic, source_partition, window_start: windowStart, ordinal, last }) =>
          [placeKey(topic, source_partition), { windowStart, ordinal, last }] as const,
      );
      this.looks.push({ atMillis: Date.now(), places: new Map(places) });
      await sleep(this.everyMillis);
    }
  }
}

function isAtOrBehind(place: Readable, windowStart: number, ordinal: number): boolean {
  if (place.windowStart !== windowStart) return place.windowStart > windowStart;
  return place.ordinal >= ordinal;
}

/** Nearest-rank percentile of values that each stand for some rows. */
export function percentile(
  samples: readonly { readonly value: number; readonly rows: number }[],
  share: number,
): number {
  const sorted = [...samples].sort((a, b) => a.value - b.value);
  const wanted = share * sorted.reduce((sum, { rows }) => sum + rows, 0);
  let seen = 0;
  for (const { value, rows } of sorted) {
    seen += rows;
    if (seen >= wanted) return value;
  }
  return NaN;
}
