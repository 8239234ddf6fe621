import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What an analytics worker was asked for all the time, and what became of it. */
export interface QuestionsRun {
  /** Answers, by question and by what they say. */
  readonly answers: Readonly<Record<string, number>>;
  readonly longestSeconds: number;
  /** Resident memory of the analytics worker's readers together, at the most. */
  readonly readersPeakMegabytes: number;
}

/** Questions that have no end, or an answer that no memory holds. */
const QUESTIONS = {
  'huge answer': `SELECT repeat('x', 60000) || range FROM range(100000)`,
  'cross join': `SELECT count(*) FROM range(10000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3`,
  'endless recursion': `WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t`,
} as const;

const LOOK_EVERY_MS = 50;
const KILOBYTES_PER_MEGABYTE = 1_024;

/** Asks each of the questions again as soon as it is answered, until told to stop. */
export class EndlessQuestions {
  private readonly stopping = new AbortController();
  private readonly answers = new Map<string, number>();
  private longestSeconds = 0;
  private peakMegabytes = 0;
  private readonly ended: Promise<unknown>;

  /** @param pid of the analytics worker: its readers are its children. */
  constructor(
    private readonly url: string,
    private readonly pid: number,
  ) {
    this.ended = Promise.all([
      ...Object.entries(QUESTIONS).map(([name, sql]) => this.keepAsking(name, sql)),
      this.watchMemory(),
    ]);
    this.ended.catch(() => undefined);
  }

  async stop(): Promise<QuestionsRun> {
    this.stopping.abort();
    await this.ended;
    return {
      answers: Object.fromEntries(this.answers),
      longestSeconds: this.longestSeconds,
      readersPeakMegabytes: this.peakMegabytes,
    };
  }

  private async keepAsking(name: string, sql: string): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const began = performance.now();
      const answer = await this.ask(sql);
      if (answer === undefined) return;
      const key = `${name}: ${answer}`;
      this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
      this.longestSeconds = Math.max(this.longestSeconds, (performance.now() - began) / 1_000);
    }
  }

  /** @returns undefined when it was told to stop. */
  private async ask(sql: string): Promise<string | undefined> {
    try {
      const response = await fetch(`${this.url}/sql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sql }),
        signal: this.stopping.signal,
      });
      const text = await response.text();
      return response.ok ? 'answered' : `${response.status} ${text.slice(0, 120)}`;
    } catch (cause) {
      if (this.stopping.signal.aborted) return undefined;
      throw cause;
    }
  }

  private async watchMemory(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const sizes = await Promise.all((await childrenOf(this.pid)).map(residentMegabytes));
      this.peakMegabytes = Math.max(
        this.peakMegabytes,
        sizes.reduce((sum, size) => sum + size, 0),
      );
      await sleep(LOOK_EVERY_MS);
    }
  }
}

async function childrenOf(pid: number): Promise<readonly string[]> {
  const threads = await readdir(`/proc/${pid}/task`);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').filter((child) => child !== ''));
}

async function residentMegabytes(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / KILOBYTES_PER_MEGABYTE;
}
