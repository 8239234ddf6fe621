import { prototypeWith, type LibraryPatch } from './patch-module';

/** What a queue of requests, one a connection, is made from. */
interface LibraryQueue {
  scheduleCheckPendingRequests: (this: { readonly pending: readonly unknown[] }) => void;
}

/** A connection looks for requests that wait only while some do; kafkajs looks every millisecond for ever (tulios/kafkajs#1704). */
export const quietQueue: LibraryPatch = {
  name: 'quiet-queue',
  module: 'kafkajs/src/network/requestQueue',
  otherwise: 'each idle connection wakes the process up a thousand times a second',
  apply(queue) {
    const prototype = prototypeWith<LibraryQueue>(queue, 'scheduleCheckPendingRequests');
    if (prototype === undefined) return false;
    const schedule = prototype.scheduleCheckPendingRequests;
    prototype.scheduleCheckPendingRequests = function scheduleWhileSomeWait() {
      if (this.pending.length > 0) schedule.call(this);
    };
    return true;
  },
};
