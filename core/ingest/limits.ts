/** Bounds on what an ingest worker takes in. */
export const INGEST_LIMITS = {
  /** Bytes of one message: the usual limit of a broker is 1 MB; a message of 8 MB has more readings than a fleet sends at once. */
  messageBytes: 8 * 1024 * 1024,
  /** Characters of a value that a reject quotes: enough to recognise it. */
  quotedCharacters: 60,
} as const;
