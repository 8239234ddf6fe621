import Table from 'cli-table3';
import { UNMAPPED } from '../../core/contracts/ingest';
import { type Micros, MICROS_PER_MILLI } from '../../core/contracts/time';
import { compileMapping } from '../../core/ingest/mapping';
import { followDeployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { importRows, type ImportReport } from '../history/import';
import { type KeptReject, readRejects, readUnmapped } from '../history/rejects';
import { importText } from '../history/text';
import { counted, printableLine, whole } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { unlessAborted } from '../shared/wait';
import { dataPlaneEnvironment } from '../system/deployment';
import { type Session } from '../system/session';

export interface ListOptions {
  readonly reason?: string;
  readonly limit: number;
  readonly json?: true;
}

export interface ReplayRejectsOptions {
  readonly since?: Micros;
  readonly dryRun?: true;
  readonly json?: true;
}

/** A reject of the stream, or of ingest (`unmapped`), as it is listed. */
interface ListedReject {
  /** Topic that the message came by; null for an event of the stream's own topic. */
  readonly topic: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly reason: string;
  readonly detail: string;
  /** ISO 8601: when it was put aside. */
  readonly at: string;
  readonly raw: string;
}

/**
 * `fedloop rejects list`: events that the stream refused and messages that ingest could not map, the latest last, and how many there are by
 * reason.
 */
export function listRejects(session: Session, { reason, limit, json }: ListOptions): Promise<void> {
  return withKafka(session, async (kafka) => {
    const counts = new Map<string, number>();
    const latest: ListedReject[] = [];
    const list = ({ bytes, timestampMillis, ...reject }: Rejected): void => {
      counts.set(reject.reason, (counts.get(reject.reason) ?? 0) + 1);
      if (reason !== undefined && reject.reason !== reason) return;
      const at = new Date(timestampMillis).toISOString();
      latest.push({ topic: null, ...reject, at, raw: bytes.toString('utf8') });
      if (latest.length > limit) latest.shift();
    };
    await readUnmapped(kafka, (reject) => {
      list({ ...reject, reason: UNMAPPED, detail: `${reject.reason}, ${reject.detail}` });
    });
    await readRejects(kafka, list);
    session.out(
      json === true
        ? `${JSON.stringify({ counts: Object.fromEntries(counts), rejects: latest })}\n`
        : rejectsText(counts, latest),
    );
  });
}

type Rejected = Omit<ListedReject, 'at' | 'raw' | 'topic'> &
  Pick<KeptReject, 'bytes' | 'timestampMillis'> & { readonly topic?: string };

function rejectsText(counts: ReadonlyMap<string, number>, rejects: readonly ListedReject[]): string {
  const sums = [...counts].map(([name, count]) => `${whole(count)} ${name}`).join(', ');
  const all = [...counts.values()].reduce((sum, count) => sum + count, 0);
  const sentence = `${counted(all, 'reject')}${sums === '' ? '' : `: ${sums}`}.\n`;
  if (rejects.length === 0) return sentence;
  const table = new Table({ ...PLAIN_TABLE, head: ['partition', 'offset', 'reason', 'event'] });
  for (const { topic, partition, offset, reason, detail, raw } of rejects) {
    const event = printableLine(raw.length > MAX_SHOWN ? `${raw.slice(0, MAX_SHOWN)}…` : raw);
    const place = [topic, partition].filter((part) => part !== null).join('/');
    table.push([
      printableLine(place),
      offset ?? '',
      detail === '' ? reason : `${reason}: ${printableLine(detail)}`,
      event,
    ]);
  }
  return `${sentence}\n${linesOf(table)}\n`;
}

const MAX_SHOWN = 100;

/**
 * `fedloop rejects replay`: late readings as history. They never become live rows, and nothing is evaluated on them; a window with a live
 * row keeps it.
 */
export function replayRejects(
  session: Session,
  { since = -Infinity, dryRun, json }: ReplayRejectsOptions,
): Promise<void> {
  return withKafka(session, async (kafka) => {
    const deployments = await followDeployments(kafka, silentLogger());
    const settings = deployments.settings();
    await deployments.close();
    // Rejects are events already, whatever the fleet's messages look like.
    const mapping = compileMapping({ from: 'earliest' }, settings.task);
    const report: ImportReport = await importRows(
      { kafka, settings, dryRun: dryRun === true, now: Date.now() },
      0,
      (take) =>
        readRejects(kafka, async ({ partition, offset, reason, timestampMillis, bytes }) => {
          if (reason !== 'late' || timestampMillis * MICROS_PER_MILLI < since) return;
          const row = { file: `partition ${partition}`, line: offset, content: { bytes } };
          await take(row, { mapping, nameOf: (column) => column, millisField: undefined });
        }),
    );
    session.out(
      json === true
        ? `${JSON.stringify({ dryRun: dryRun === true, ...report })}\n`
        : importText(report, dryRun === true),
    );
  });
}

async function withKafka(session: Session, work: (kafka: Kafka) => Promise<void>): Promise<void> {
  const env = readEnvironment(await dataPlaneEnvironment(session));
  const kafka = await connectKafka(env, 'fedloop-rejects', silentLogger());
  try {
    await unlessAborted(work(kafka), session.signal);
  } finally {
    await kafka.disconnect();
  }
}
