import { createRequire } from 'node:module';
import { applyPatch } from '../../../core/platform/kafka/kafkajs-patches/patch-module';
import { quietQueue } from '../../../core/platform/kafka/kafkajs-patches/quiet-queue';

interface Queue {
  throttledUntil: number;
  push(request: { entry: { correlationId: number }; expectResponse: boolean; sendRequest: () => void }): void;
  checkPendingRequests(): void;
  destroy(): void;
}
const LibraryQueue = createRequire(__filename)('kafkajs/src/network/requestQueue') as new (
  options: object,
) => Queue;

let queue: Queue;
const sent: number[] = [];
const send = (correlationId: number): void => {
  queue.push({
    entry: { correlationId },
    expectResponse: true,
    sendRequest: () => sent.push(correlationId),
  });
};

beforeAll(() => {
  applyPatch(quietQueue);
});
beforeEach(() => {
  jest.useFakeTimers();
  sent.length = 0;
  queue = new LibraryQueue({ maxInFlightRequests: 2, logger: { debug: () => undefined } });
});
afterEach(() => {
  queue.destroy();
  jest.useRealTimers();
});

describe('the queue of a connection to Kafka', () => {
  it('sets no timer while nothing waits', () => {
    send(1);
    queue.checkPendingRequests();
    expect(sent).toEqual([1]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('sends what waits for a throttle when it is over', () => {
    queue.throttledUntil = Date.now() + 40;
    send(1);
    send(2);
    jest.advanceTimersByTime(30);
    expect(sent).toEqual([]);
    jest.advanceTimersByTime(20);
    expect(sent).toEqual([1, 2]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('goes on looking while more are in flight than may be', () => {
    for (const id of [1, 2, 3]) send(id);
    jest.advanceTimersByTime(1_000);
    expect(sent).toEqual([1, 2]);
    expect(jest.getTimerCount()).toBe(1);
  });
});
