/** Bounds on what an ingest worker takes in and holds. */
export const INGEST_LIMITS = {
  /** Bytes of one message: the usual limit of a broker is 1 MB; a message of 8 MB has more readings than a fleet sends at once. */
  messageBytes: 8 * 1024 * 1024,
  /** Characters of a value that a reject quotes: enough to recognise it. */
  quotedCharacters: 60,
  /** Characters of a text that is a number or a time: no number of a sensor has so many, and looking at more takes long. */
  numberCharacters: 1_000,
  /** Bytes of a message that its reject carries, as rejects of the stream do. */
  rejectedBytes: 512 * 1024,
  /** Events handed on and not acknowledged, above which nothing more is read: half a second of a fast source. */
  pendingEvents: 100_000,
  /** Bytes of the messages that those events came from, above which nothing more is read: a few may be very large. */
  pendingBytes: 64 * 1024 * 1024,
  /** Bytes of messages mapped in one go: each may bring a reject for every two of its bytes, and heartbeats come in between. */
  bytesAtOnce: 1024 * 1024,
  /** Bytes of a partition's messages that wait for those of others, above which it is not read any further. */
  waitingBytes: 32 * 1024 * 1024,
  /** Events in one request to the producer: the library's work on a request grows with the square of its messages a partition. */
  eventsPerSend: 2_000,
  /**
   * A default broker refuses a record stamped more than an hour ahead of its clock, and the whole request with it. Such a record is
   * stamped with the time of ingest instead; its event is `future` then.
   */
  stampAheadMillis: 55 * 60_000,
  /** Devices whose partition is remembered, about 100 bytes each; ids that are made up without end are forgotten again. */
  devicesRemembered: 200_000,
  /** Between two commits of offsets: after a crash so much is read twice, and falls to `duplicate`. */
  commitIntervalMillis: 1_000,
  /** Between two attempts to reach a source that is away. */
  retryMillis: 5_000,
  /**
   * Between two attempts to reach an MQTT server: the first soon, as after its restart, then twice as long each time, so that one that
   * refuses us is not pestered. A connection that lasted longer than `most` makes the next one the first again.
   */
  mqttRetryMillis: { first: 500, most: 30_000 },
  /** Partitions worked on at once: while the events of one are written, others are mapped. */
  concurrency: 4,
} as const;
