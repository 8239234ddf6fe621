import { type DeadLetterReason } from '../../contracts/dead-letters';
import { type Logger } from '../../platform/log';
import { type ReadTable } from '../database/columns';
import { type LostRecords, type LostRejects } from './lost-records';
import { type Judgement } from './marks';

/** Records of one topic: every one that was read is in one of the two. */
export interface RecordCounts {
  readonly used: number;
  readonly aside: number;
}

/** What one transaction did, or several. */
export interface SinkReport {
  /** Rows stored, by table. */
  readonly rows: Readonly<Record<ReadTable, number>>;
  /** Blocks by judgement. A gap is a block that never came before a stored one. */
  readonly blocks: Readonly<Record<Judgement | 'gap', number>>;
  /** Records by topic. */
  readonly records: Readonly<Record<string, RecordCounts>>;
  /** Messages that were put aside, by reason, with the first few of them. */
  readonly aside: {
    readonly counts: Readonly<Partial<Record<DeadLetterReason, number>>>;
    readonly examples: readonly string[];
  };
  /** Records that topics let go before they were stored. */
  readonly lost: readonly LostRecords[];
  /** Refused events whose rejects never came. */
  readonly lostRejects: readonly LostRejects[];
  /** Broker times of the stored blocks, for the latency from a window's close to its readable row. */
  readonly blockMillis: readonly number[];
  /** Versions, stages or activations changed. */
  readonly deploymentsChanged: boolean;
}

/** The report of two transactions, one after the other. */
export function addReports(first: SinkReport, second: SinkReport): SinkReport {
  const topics = Object.keys({ ...first.records, ...second.records });
  return {
    rows: addCounts(first.rows, second.rows),
    blocks: addCounts(first.blocks, second.blocks),
    records: Object.fromEntries(
      topics.map((topic) => [
        topic,
        addCounts(first.records[topic] ?? NO_RECORDS, second.records[topic] ?? NO_RECORDS),
      ]),
    ),
    aside: {
      counts: addCounts(first.aside.counts, second.aside.counts),
      examples: [...first.aside.examples, ...second.aside.examples].slice(0, MAX_EXAMPLES),
    },
    lost: [...first.lost, ...second.lost],
    lostRejects: [...first.lostRejects, ...second.lostRejects],
    blockMillis: [...first.blockMillis, ...second.blockMillis],
    deploymentsChanged: first.deploymentsChanged || second.deploymentsChanged,
  };
}

/** Say what of a transaction was not as it should be. */
export function logFaults({ aside, blocks, lostRejects }: SinkReport, log: Logger): void {
  if (aside.examples.length > 0) log.error({ ...aside }, 'messages were put aside in dead_letters');
  if (blocks.gap > 0) log.error({ gaps: blocks.gap }, 'blocks of results are missing before stored ones');
  if (lostRejects.length > 0) log.error({ rejects: lostRejects }, 'rejects are missing before stored ones');
}

export const NO_RECORDS: RecordCounts = { used: 0, aside: 0 };

/** Messages put aside that the log names. */
export const MAX_EXAMPLES = 3;

function addCounts<Counts extends object>(first: Counts, second: Counts): Counts {
  const sums: Record<string, number> = {};
  for (const counts of [first, second])
    for (const [name, count] of Object.entries(counts))
      if (typeof count === 'number') sums[name] = (sums[name] ?? 0) + count;
  return { ...first, ...sums };
}
