import { z } from 'zod';
import { type MalformedDetail } from './events';
import { logIdSchema } from './log-ids';
import { MAX_INTEGER } from './storable';

/**
 * Why a message of a source, or one reading in it, could not become a canonical event: what would make an event malformed, or a message
 * in which no reading was found at all. `session-lost` stands for messages that an MQTT server had taken for us and has forgotten; nobody knows how many. A
 * fleet's set is closed, so that it can be a header's value and a metric's label.
 */
export type UnmappedReason = MalformedDetail | 'no-readings' | 'session-lost';

/** What the command line calls rejects of ingest, beside the verdicts of the stream. */
export const UNMAPPED = 'unmapped';

/** A message, or one reading in it, that could not be mapped. */
export interface UnmappedReading {
  readonly reason: UnmappedReason;
  /** JSON Pointer of the place in the message; `/` where it is the whole message. */
  readonly path: string;
  /** What is wrong there, as the end of a sentence. */
  readonly detail: string;
}

/**
 * A record of `ingest-rejects` says in its headers why and where; its value is the message's bytes, the first 512 KiB where there are more.
 * Only the first reject of a message carries them.
 */
export const INGEST_REJECT_HEADERS = {
  reason: 'reason',
  path: 'path',
  detail: 'detail',
  /** Topic of Kafka or MQTT that the message came by. */
  topic: 'source-topic',
  /** Place of the message in a topic of Kafka. */
  partition: 'source-partition',
  offset: 'source-offset',
  /** Bytes of the whole message. */
  size: 'size',
  /** Only where the record's time is not the message's, which has none or one that the broker would not take: read again, it has another. */
  restamped: 'restamped',
} as const;

const wholeNumber = z.coerce.number().int().min(0);

/** The headers of a record of `ingest-rejects`. */
export const ingestRejectHeadersSchema = z.object({
  [INGEST_REJECT_HEADERS.reason]: z.string().min(1),
  [INGEST_REJECT_HEADERS.path]: z.string(),
  [INGEST_REJECT_HEADERS.detail]: z.string(),
  [INGEST_REJECT_HEADERS.topic]: z.string(),
  [INGEST_REJECT_HEADERS.partition]: wholeNumber.optional(),
  [INGEST_REJECT_HEADERS.offset]: wholeNumber.optional(),
  [INGEST_REJECT_HEADERS.restamped]: z.string().optional(),
});

/**
 * A record of `ingest-rejects` without a value and a reason says that messages were gone before ingest had read them: of a partition of the source's
 * topic, from one offset up to another, which is not one of them. It may come again, and then reach further.
 */
export const INGEST_LOSS_HEADERS = {
  partition: 'lost-partition',
  from: 'lost-from',
  until: 'lost-until',
  /** Which log it was: a topic that is made anew has the same offsets again. */
  log: 'lost-log',
} as const;

/** The headers of such a record. */
export const ingestLossHeadersSchema = z
  .object({
    [INGEST_LOSS_HEADERS.partition]: wholeNumber.max(MAX_INTEGER),
    [INGEST_LOSS_HEADERS.from]: wholeNumber,
    [INGEST_LOSS_HEADERS.until]: wholeNumber,
    // Workers of an earlier release did not say.
    [INGEST_LOSS_HEADERS.log]: logIdSchema.default(''),
  })
  .refine((loss) => loss['lost-from'] < loss['lost-until'], 'nothing lies between its offsets');
