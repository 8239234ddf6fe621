import { libraryModule } from './library';

/** The library's own queue of requests, one a connection. */
const LIBRARY_QUEUE = 'kafkajs/src/network/requestQueue';

interface LibraryQueue {
  readonly prototype: { scheduleCheckPendingRequests: (this: QueueState) => void };
}

interface QueueState {
  readonly pending: readonly unknown[];
}

let installed = false;

/**
 * Have the library look again at requests that wait only while some do. kafkajs 2.2.4 looks every millisecond for ever, on each connection
 * (tulios/kafkajs#1704): five idle workers woke up 5,000 times a second and took the cores from whoever computed. Requests that wait for a
 * throttle or for others in flight are looked at as before.
 */
export function useQuietQueue(): void {
  if (installed) return;
  installed = true;
  const queue = libraryModule(LIBRARY_QUEUE, isQueue);
  if (queue === undefined) return;
  const schedule = queue.prototype.scheduleCheckPendingRequests;
  queue.prototype.scheduleCheckPendingRequests = function scheduleWhileSomeWait() {
    if (this.pending.length > 0) schedule.call(this);
  };
}

function isQueue(found: unknown): found is LibraryQueue {
  if (typeof found !== 'function') return false;
  const prototype: unknown = found.prototype;
  return (
    typeof prototype === 'object' &&
    prototype !== null &&
    'scheduleCheckPendingRequests' in prototype &&
    typeof prototype.scheduleCheckPendingRequests === 'function'
  );
}
