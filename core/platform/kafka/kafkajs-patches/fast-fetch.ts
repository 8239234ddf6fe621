import { decodeFetchResponse } from './fetch-response';
import { hasFunction, type LibraryPatch } from './patch-module';

interface LibraryReader {
  decode: (response: Buffer) => Promise<unknown>;
}

/** Every consumer hands out light records (see fetch-response.ts) where a response allows it. */
export const fastFetch: LibraryPatch = {
  name: 'fast-fetch',
  module: 'kafkajs/src/protocol/requests/fetch/v11/response',
  otherwise: 'reading an event takes three to four times the processor time',
  apply(reader) {
    if (!hasFunction<LibraryReader>(reader, 'decode')) return false;
    const decodeByLibrary = reader.decode;
    reader.decode = (response) => {
      const decoded = decodeFetchResponse(response);
      return decoded === undefined ? decodeByLibrary(response) : Promise.resolve(decoded);
    };
    return true;
  },
};
