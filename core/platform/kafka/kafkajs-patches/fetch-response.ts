import {
  type AbortedTransaction,
  type Budget,
  type FetchedEntry,
  freshBudget,
  readBatches,
} from '../fetched-batches';

/**
 * A Fetch response (version 11) read straight into light records, for the hot path. Format: "Fetch Response (Version: 11)" in Kafka's protocol
 * documentation.
 */
export interface FetchResponse {
  readonly throttleTime: number;
  readonly clientSideThrottleTime: number;
  readonly errorCode: number;
  readonly sessionId: number;
  readonly responses: readonly {
    readonly topicName: string;
    readonly partitions: readonly FetchedPartition[];
  }[];
}

type FetchedPartition = ReturnType<typeof readPartition>;

/** @param wantedOffset the offset from which a partition was asked for. */
export function decodeFetchResponse(
  response: Buffer,
  wantedOffset: (topic: string, partition: number) => number,
): FetchResponse {
  const budget = freshBudget();
  const reader = new Reader(response);
  const clientSideThrottleTime = reader.int32();
  const errorCode = reader.int16();
  const sessionId = reader.int32();
  const responses: FetchResponse['responses'][number][] = [];
  for (let topics = reader.int32(); topics > 0; topics -= 1) {
    const topicName = reader.text();
    const partitions: FetchedPartition[] = [];
    for (let count = reader.int32(); count > 0; count -= 1) {
      partitions.push(
        readPartition(reader, response, budget, (partition) => wantedOffset(topicName, partition)),
      );
    }
    responses.push({ topicName, partitions });
  }
  // The broker has throttled already; a throttle time here would make the library do so once more.
  return { throttleTime: 0, clientSideThrottleTime, errorCode, sessionId, responses };
}

function readPartition(
  reader: Reader,
  response: Buffer,
  budget: Budget,
  wantedOffset: (partition: number) => number,
) {
  const partition = reader.int32();
  const errorCode = reader.int16();
  const highWatermark = reader.int64();
  const lastStableOffset = reader.int64();
  const lastStartOffset = reader.int64();
  const aborted: AbortedTransaction[] = [];
  for (let count = reader.int32(); count > 0; count -= 1)
    aborted.push({ producerId: reader.bigInt64(), firstOffset: Number(reader.int64()) });
  const preferredReadReplica = reader.int32();
  const size = Math.max(0, reader.int32());
  const from = { wanted: wantedOffset(partition), highWatermark: Number(highWatermark), aborted };
  const messages = readBatches(response, reader.at, reader.at + size, from, budget);
  reader.at += size;
  return {
    partition,
    errorCode,
    highWatermark,
    lastStableOffset,
    lastStartOffset,
    // Their records are left out already.
    abortedTransactions: [],
    preferredReadReplica,
    messages: filteredAtTheStart(messages, LIBRARY_FILTERS),
  };
}

/** What the library filters a fetched batch by: records before the wanted offset, then control records. */
const LIBRARY_FILTERS = 2;

/**
 * The library's filters make a big integer of each record's offset. Offsets rise and none is a control record, so all records after the first
 * that passes do so too, and need no test. After `times` filters the result is an array like any other.
 */
function filteredAtTheStart(records: FetchedEntry[], times: number): FetchedEntry[] {
  if (times === 0) return records;
  Object.defineProperty(records, 'filter', {
    value: (passes: (record: FetchedEntry) => boolean) => {
      const first = records.findIndex((record) => passes(record));
      return filteredAtTheStart(first < 0 ? [] : records.slice(first), times - 1);
    },
  });
  return records;
}

/** Fixed-width numbers and texts, one after the other. */
class Reader {
  at = 0;

  constructor(private readonly bytes: Buffer) {}

  int16(): number {
    this.at += 2;
    return this.bytes.readInt16BE(this.at - 2);
  }

  int32(): number {
    this.at += 4;
    return this.bytes.readInt32BE(this.at - 4);
  }

  /** As the library has them: digits. */
  int64(): string {
    return String(this.bigInt64());
  }

  bigInt64(): bigint {
    this.at += 8;
    return this.bytes.readBigInt64BE(this.at - 8);
  }

  text(): string {
    const length = this.int16();
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }
}
