import { decodeFetchResponse } from './fetch-response';
import { libraryModule } from './library';

/** The library's own reader of Fetch responses: every consumer of the process goes through it. */
const LIBRARY_READER = 'kafkajs/src/protocol/requests/fetch/v11/response';

interface LibraryReader {
  decode: (response: Buffer) => Promise<unknown>;
}

let installed = false;

/**
 * Have the library hand out light records (see fetch-response.ts) where a response allows it. kafkajs offers no way to do
 * so; its version is exact, and where its inside looks different than expected everything stays as it is, only slower.
 */
export function useFastFetch(): void {
  if (installed) return;
  installed = true;
  const reader = libraryModule(LIBRARY_READER, isReader);
  if (reader === undefined) return;
  const decodeByLibrary = reader.decode;
  reader.decode = (response) => {
    const decoded = decodeFetchResponse(response);
    return decoded === undefined ? decodeByLibrary(response) : Promise.resolve(decoded);
  };
}

function isReader(found: unknown): found is LibraryReader {
  return (
    typeof found === 'object' && found !== null && 'decode' in found && typeof found.decode === 'function'
  );
}
