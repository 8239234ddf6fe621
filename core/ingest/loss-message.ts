import { INGEST_LOSS_HEADERS } from '../contracts/ingest';
import { INGEST_GROUP } from '../contracts/topics';
import { type OutgoingMessage } from '../platform/kafka';
import { type ExpiredRecords } from '../platform/kafka/log-gap';

/** What happened and what to do, in one sentence. */
export function skippedSentence(topic: string, partition: number, { from, until }: ExpiredRecords): string {
  return `another program has moved the group ${INGEST_GROUP} past ${until - from} messages of partition ${partition} of ${topic}, from offset ${from} to ${until}: they count as lost; to read them, stop the ingest workers and set the group back`;
}

/**
 * Messages of a partition that were gone before they were read, for `ingest-rejects`: the tables keep them, and no restart forgets them.
 * @param logId of the log that had them; empty where the broker tells none
 */
export function lossMessage(
  partition: number,
  { from, until }: ExpiredRecords,
  logId: string,
): OutgoingMessage {
  return {
    key: `lost/${partition}/${from}/${logId}`,
    value: null,
    headers: {
      [INGEST_LOSS_HEADERS.partition]: String(partition),
      [INGEST_LOSS_HEADERS.from]: String(from),
      [INGEST_LOSS_HEADERS.until]: String(until),
      [INGEST_LOSS_HEADERS.log]: logId,
    },
  };
}
