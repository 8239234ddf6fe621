import { decodeFetchResponse } from './fetch-response';
import { hasFunction, type LibraryPatch } from './patch-module';

/** The version that is laid out as `decodeFetchResponse` reads it: the newest that the library knows. */
const VERSION = 11;

/** What a consumer asks for; the library has offsets as digits. */
interface LibraryFetch {
  readonly topics: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number; readonly fetchOffset: string }[];
  }[];
}

interface LibraryReader {
  protocol: (wanted: { readonly version: number }) => (fetch: LibraryFetch) => LibraryRequest;
}

interface LibraryRequest {
  readonly response: object;
}

/** Every consumer hands out what fetch-response.ts reads. */
export const fastFetch: LibraryPatch = {
  name: 'fast-fetch',
  module: 'kafkajs/src/protocol/requests/fetch',
  otherwise:
    'reading an event takes three to four times the processor time, and a batch that cannot be read ends the worker',
  apply(reader) {
    if (!hasFunction<LibraryReader>(reader, 'protocol')) return false;
    const protocolOfLibrary = reader.protocol;
    reader.protocol = (wanted) => {
      const fetchByLibrary = protocolOfLibrary(wanted);
      if (wanted.version !== VERSION) return fetchByLibrary;
      return (fetch) => {
        const made = fetchByLibrary(fetch);
        const decode = (response: Buffer): Promise<object> =>
          Promise.resolve(decodeFetchResponse(response, wantedOffset(fetch)));
        return { ...made, response: { ...made.response, decode } };
      };
    };
    return true;
  },
};

/** The offset that was asked for, of a partition of a topic; there are few of both. */
function wantedOffset({ topics }: LibraryFetch): (topic: string, partition: number) => number {
  return (topic, partition) => {
    const partitions = topics.find((one) => one.topic === topic)?.partitions;
    return Number(partitions?.find((one) => one.partition === partition)?.fetchOffset ?? 0);
  };
}
