import { decodeFetchResponse } from './fetch-response';
import { hasFunction, type LibraryPatch } from './patch-module';

interface LibraryReader {
  decode: (response: Buffer) => Promise<unknown>;
}

/** Every consumer hands out what fetch-response.ts reads. */
export const fastFetch: LibraryPatch = {
  name: 'fast-fetch',
  module: 'kafkajs/src/protocol/requests/fetch/v11/response',
  otherwise:
    'reading an event takes three to four times the processor time, and a batch that cannot be read ends the worker',
  apply(reader) {
    if (!hasFunction<LibraryReader>(reader, 'decode')) return false;
    reader.decode = (response) => Promise.resolve(decodeFetchResponse(response));
    return true;
  },
};
