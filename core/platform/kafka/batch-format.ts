/**
 * Where the fields of a record batch's header begin (format 2), and the bits of its attributes. The length counts from the leader's epoch on,
 * the checksum from the attributes on. Format: "Record Batch" in Kafka's protocol documentation.
 */
export const LENGTH = 8;
export const LEADER_EPOCH = 12;
export const MAGIC = 16;
export const CHECKSUM = 17;
export const ATTRIBUTES = 21;
export const LAST_OFFSET_DELTA = 23;
export const FIRST_TIMESTAMP = 27;
export const MAX_TIMESTAMP = 35;
/** Its id, its epoch and the batch's number: 14 bytes. */
export const PRODUCER = 43;
export const RECORD_COUNT = 57;
export const HEADER_BYTES = 61;

export const FORMAT = 2;

export const COMPRESSION = 0x07;
export const STAMPED_BY_BROKER = 0x08;
export const TRANSACTIONAL = 0x10;
export const CONTROL = 0x20;
