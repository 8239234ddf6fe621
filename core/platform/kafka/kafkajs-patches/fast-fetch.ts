import { decodeFetchResponse } from './fetch-response';
import { changeLibrary, hasFunction } from './patch-module';

/** The library's own reader of Fetch responses: every consumer of the process goes through it. */
const LIBRARY_READER = 'kafkajs/src/protocol/requests/fetch/v11/response';

interface LibraryReader {
  decode: (response: Buffer) => Promise<unknown>;
}

/** Have the library hand out light records (see fetch-response.ts) where a response allows it. */
export function useFastFetch(): void {
  changeLibrary(LIBRARY_READER, isReader, (reader) => {
    const decodeByLibrary = reader.decode;
    reader.decode = (response) => {
      const decoded = decodeFetchResponse(response);
      return decoded === undefined ? decodeByLibrary(response) : Promise.resolve(decoded);
    };
  });
}

function isReader(found: unknown): found is LibraryReader {
  return hasFunction(found, 'decode');
}
