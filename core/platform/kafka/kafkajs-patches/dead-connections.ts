import { prototypeWith, type LibraryPatch } from './patch-module';

/** Hears how the requests of one connection fare. */
export interface RequestWatcher {
  /** A request has had no answer for as long as it may wait. */
  timedOut(): void;
  answered(): void;
}

interface LibraryRequest {
  readonly requestTimeout: number;
  readonly timeoutRequest: () => void;
}

/** What a queue of requests, one a connection, is made from. */
interface LibraryQueue {
  readonly inflight: ReadonlyMap<number, LibraryRequest>;
  requestTimeoutIntervalId: NodeJS.Timeout;
  /** By the wall clock. */
  throttledUntil: number;
  readonly enforceRequestTimeout: boolean;
  readonly isConnected: () => boolean;
  readonly destroy: () => void;
  readonly checkPendingRequests: () => void;
}

interface LibraryMethods {
  sendSocketRequest: (this: LibraryQueue, request: LibraryRequest) => void;
  fulfillRequest: (this: LibraryQueue, response: unknown) => void;
  maybeThrottle: (this: LibraryQueue, millis: number | null) => void;
  scheduleRequestTimeoutCheck: (this: LibraryQueue) => void;
}

/** As often as the library looks. */
const LOOK_EVERY_MS = 100;
const NOT_THROTTLED = -1;

const watchers = new WeakMap<object, RequestWatcher>();
const sentAt = new WeakMap<LibraryRequest, number>();
const throttledUntil = new WeakMap<LibraryQueue, number>();

export function watchRequests(queue: object, watcher: RequestWatcher): void {
  watchers.set(queue, watcher);
}

/** Requests time out by a clock that nobody sets, and a connection on which one has is heard of, so that it can be given up. */
export const deadConnections: LibraryPatch = {
  name: 'dead-connections',
  module: 'kafkajs/src/network/requestQueue',
  otherwise: 'a connection that a network has forgotten is tried again for a quarter of an hour',
  apply(queue) {
    const prototype = prototypeWith<LibraryMethods>(
      queue,
      'sendSocketRequest',
      'fulfillRequest',
      'maybeThrottle',
      'scheduleRequestTimeoutCheck',
    );
    if (prototype === undefined) return false;
    const { sendSocketRequest, fulfillRequest, maybeThrottle } = prototype;
    prototype.sendSocketRequest = function sendAndNote(request) {
      sentAt.set(request, performance.now());
      sendSocketRequest.call(this, request);
    };
    prototype.fulfillRequest = function fulfillAndTell(response) {
      watchers.get(this)?.answered();
      fulfillRequest.call(this, response);
    };
    prototype.maybeThrottle = function throttleAndNote(millis) {
      maybeThrottle.call(this, millis);
      if (millis !== null && millis > 0)
        throttledUntil.set(this, Math.max(performance.now() + millis, throttledUntil.get(this) ?? 0));
    };
    prototype.scheduleRequestTimeoutCheck = function lookForTimeouts() {
      if (!this.enforceRequestTimeout) return;
      this.destroy();
      this.requestTimeoutIntervalId = setInterval(() => {
        endTimedOut(this);
        endThrottle(this);
        if (!this.isConnected()) this.destroy();
      }, LOOK_EVERY_MS);
    };
    return true;
  },
};

function endTimedOut(queue: LibraryQueue): void {
  const now = performance.now();
  const late = [...queue.inflight.values()].filter(
    (request) => now - (sentAt.get(request) ?? now) > request.requestTimeout,
  );
  for (const request of late) request.timeoutRequest();
  if (late.length > 0) watchers.get(queue)?.timedOut();
}

/** A wall clock that was set back would keep a throttle up. */
function endThrottle(queue: LibraryQueue): void {
  if (queue.throttledUntil === NOT_THROTTLED || performance.now() < (throttledUntil.get(queue) ?? 0)) return;
  queue.throttledUntil = NOT_THROTTLED;
  queue.checkPendingRequests();
}
