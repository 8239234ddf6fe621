import { TOPICS } from '../../core/contracts/topics';
import { type IncomingRecord, type Kafka, type OutgoingMessage } from '../../core/platform/kafka';

/** A record that a fleet has written, as whoever reads its topics has it. */
export interface FleetRecord {
  readonly role: keyof typeof TOPICS;
  /** First part of the key in topics whose messages are of several kinds. */
  readonly kind: string;
  readonly record: IncomingRecord;
}

/** Of each kind in a partition so many are remembered, the latest: a fleet's events are many. */
const RECORDS_OF_A_KIND = 50;

/** What stands in the topics of a running fleet now. */
export async function recordsOf(kafka: Kafka): Promise<readonly FleetRecord[]> {
  const kinds = new Map<string, FleetRecord[]>();
  for (const [name, { name: topic }] of Object.entries(TOPICS)) {
    const role = roleOf(name);
    const tail = await kafka.tail({
      topic,
      from: 'start',
      onRecords: (records) => {
        for (const record of records) remember(kinds, { role, kind: kindOf(role, record), record });
      },
    });
    await tail.caughtUp;
    await tail.close();
  }
  return [...kinds.values()].flat();
}

function remember(kinds: Map<string, FleetRecord[]>, known: FleetRecord): void {
  const name = `${known.role} ${known.kind} ${known.record.partition}`;
  const alike = kinds.get(name) ?? [];
  kinds.set(name, alike);
  alike.push(known);
  if (alike.length > RECORDS_OF_A_KIND) alike.shift();
}

function roleOf(name: string): FleetRecord['role'] {
  const role = Object.keys(TOPICS).find((known): known is FleetRecord['role'] => known === name);
  if (role === undefined) throw new Error(`there is no topic ${name}`);
  return role;
}

function kindOf(role: FleetRecord['role'], { key }: IncomingRecord): string {
  const isOfSeveralKinds = role === 'checkpoints' || role === 'updates' || role === 'deployments';
  return isOfSeveralKinds ? (key?.toString().split('/')[0] ?? '') : '';
}

/** The record as it stands, sent once more. */
export function sentAgain({ key, value, headers, partition }: IncomingRecord): OutgoingMessage {
  return { key: key?.toString() ?? null, value, headers, partition };
}
