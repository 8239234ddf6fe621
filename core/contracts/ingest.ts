import { type MalformedDetail } from './events';

/**
 * Why a message of a source, or one reading in it, could not become a canonical event: what would make an event malformed, or a message
 * in which no reading was found at all. A fleet's set is closed, so that it can be a header's value and a metric's label.
 */
export type UnmappedReason = MalformedDetail | 'no-readings';

/** A message, or one reading in it, that could not be mapped. */
export interface UnmappedReading {
  readonly reason: UnmappedReason;
  /** JSON Pointer of the place in the message; `/` where it is the whole message. */
  readonly path: string;
  /** What is wrong there, as the end of a sentence. */
  readonly detail: string;
}
