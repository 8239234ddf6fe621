import { changeLibrary, hasFunction } from './patch-module';

/** The library's own queue of requests, one a connection. */
const LIBRARY_QUEUE = 'kafkajs/src/network/requestQueue';

interface LibraryQueue {
  readonly prototype: { scheduleCheckPendingRequests: (this: QueueState) => void };
}

interface QueueState {
  readonly pending: readonly unknown[];
}

/**
 * Have the library look again at requests that wait only while some do. kafkajs 2.2.4 looks every millisecond for ever, on each connection
 * (tulios/kafkajs#1704): five idle workers woke up 5,000 times a second and took the cores from whoever computed. Requests that wait for a
 * throttle or for others in flight are looked at as before.
 */
export function useQuietQueue(): void {
  changeLibrary(LIBRARY_QUEUE, isQueue, ({ prototype }) => {
    const schedule = prototype.scheduleCheckPendingRequests;
    prototype.scheduleCheckPendingRequests = function scheduleWhileSomeWait() {
      if (this.pending.length > 0) schedule.call(this);
    };
  });
}

function isQueue(found: unknown): found is LibraryQueue {
  return typeof found === 'function' && hasFunction(found.prototype, 'scheduleCheckPendingRequests');
}
