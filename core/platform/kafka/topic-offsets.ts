import { setTimeout as sleep } from 'node:timers/promises';
import { type Admin } from 'kafkajs';

/** A broker that has just come back leads its partitions again within seconds; on a busy machine within some more. */
const LEADER_WAIT_MS = 30_000;
const LEADER_POLL_MS = 100;

/** What brokers answer, by the library's names, while a partition has no leader or another one than the client knows. */
const WITHOUT_LEADER: ReadonlySet<unknown> = new Set(['NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE']);

/**
 * First and next offset of every partition of a topic, as the library has them. It gives up at once when a broker that restarts
 * answers for a moment that it leads nothing; here that moment is waited for.
 */
export async function topicOffsets(
  admin: Pick<Admin, 'fetchTopicOffsets'>,
  topic: string,
): Promise<Awaited<ReturnType<Admin['fetchTopicOffsets']>>> {
  const deadline = performance.now() + LEADER_WAIT_MS;
  for (;;) {
    try {
      return await admin.fetchTopicOffsets(topic);
    } catch (cause) {
      if (!isWithoutLeader(cause) || performance.now() > deadline) throw cause;
      await sleep(LEADER_POLL_MS);
    }
  }
}

function isWithoutLeader(thrown: unknown): boolean {
  return thrown instanceof Error && 'type' in thrown && WITHOUT_LEADER.has(thrown.type);
}
