import { INGEST_LOSS_HEADERS } from '../contracts/ingest';
import { type OutgoingMessage } from '../platform/kafka';
import { type ExpiredRecords } from '../platform/kafka/log-gap';

/** Messages of a partition that were gone before they were read, for `ingest-rejects`: the tables keep them, and no restart forgets them. */
export function lossMessage(partition: number, { from, until }: ExpiredRecords): OutgoingMessage {
  return {
    key: `lost/${partition}/${from}`,
    value: null,
    headers: {
      [INGEST_LOSS_HEADERS.partition]: String(partition),
      [INGEST_LOSS_HEADERS.from]: String(from),
      [INGEST_LOSS_HEADERS.until]: String(until),
    },
  };
}
