import { FedloopError } from '../../contracts/errors';
import { STREAM_GROUP, TOPICS } from '../../contracts/topics';
import { type Kafka } from '../../platform/kafka';
import { endsOf } from '../../platform/kafka/topic-offsets';

const HINT =
  'Bring the topic back as it was and restart the stream workers, or start anew under another fleet name; keep its cleanup.policy at compact.';

/** What the topics show of a partition beside its log of decisions. */
interface Traces {
  /** First offset that the log of decisions still has: compaction alone leaves it at 0. */
  readonly low: number;
  /** By the log of decisions some owner may have read an event. A claim alone shows nothing: who was refused has claimed as well. */
  readonly mayHaveBeenRead: boolean;
  /** End of the partition's results. */
  readonly results: number;
  /** Offset that the group of the stream workers has committed, each time after a checkpoint; 0 before the first. */
  readonly committed: number;
}

/** Whether rows were made under decisions that their log no longer has. Records that strangers write into one topic are no proof. */
export function areDecisionsLost({ low, mayHaveBeenRead, results, committed }: Traces): boolean {
  return results > 0 && (low > 0 || (!mayHaveBeenRead && committed > 0));
}

/**
 * Nothing may be read without the decisions that rows were made under, unless a checkpoint knows what became of them: other rows would come
 * of the same events.
 * @throws FedloopError `InvalidData`
 */
export async function requireDecisions(
  kafka: Pick<Kafka, 'offsets' | 'committed'>,
  partition: number,
  { eventTopic, mayHaveBeenRead }: Pick<Traces, 'mayHaveBeenRead'> & { readonly eventTopic: string },
): Promise<void> {
  const { low } = endsOf(await kafka.offsets(TOPICS.checkpoints.name), partition);
  const { high: results } = endsOf(await kafka.offsets(TOPICS.analysis.name), partition);
  const group = await kafka.committed(STREAM_GROUP, eventTopic);
  const committed = group.find((position) => position.partition === partition)?.offset ?? 0;
  if (areDecisionsLost({ low, mayHaveBeenRead, results, committed }))
    throw new FedloopError('InvalidData', `${decisionsGone(partition, low)}, and there is no checkpoint`, {
      hint: HINT,
    });
}

/** An owner that read on would number its claims from the beginning, and its rows would be taken for those of a predecessor. */
export function decisionsReplaced(partition: number): FedloopError {
  return new FedloopError('InvalidData', `${decisionsGone(partition, 0)} while it was read`, { hint: HINT });
}

/** @throws FedloopError `InvalidData` when the log of some partition's decisions does not begin at its beginning. */
export async function requireWholeLogs(kafka: Pick<Kafka, 'offsets'>): Promise<void> {
  const cut = (await kafka.offsets(TOPICS.checkpoints.name)).find(({ low }) => low > 0);
  if (cut === undefined) return;
  const message = `${decisionsGone(cut.partition, cut.low)}; the rows made under them cannot be recomputed`;
  throw new FedloopError('InvalidData', message, {
    hint: `Only a deployment that keeps all of ${TOPICS.checkpoints.name} can be verified.`,
  });
}

/** Forecasts without the past that the devices began with would be other rows of the same events. */
export function snapshotGone(partition: number): FedloopError {
  const message = `${TOPICS.history.name} no longer has the snapshot that the devices of partition ${partition} began with`;
  return new FedloopError('InvalidData', message, { hint: HINT });
}

function decisionsGone(partition: number, low: number): string {
  const what = low > 0 ? `begins at offset ${low}` : 'was made anew';
  return `decisions of partition ${partition} are gone: ${TOPICS.checkpoints.name} ${what}`;
}
