import { type OutgoingMessage, type Producer } from '../../../core/platform/kafka';
import { Outbox } from '../../../core/stream/ownership/outbox';

/** A producer whose sends end when the test says so. */
class SlowProducer implements Producer {
  readonly sent: { topic: string; values: unknown[] }[] = [];
  private readonly endings: { resolve: () => void; reject: (cause: Error) => void }[] = [];

  send(topic: string, messages: readonly OutgoingMessage[]): Promise<readonly []> {
    this.sent.push({ topic, values: messages.map(({ value }) => value) });
    return new Promise((resolve, reject) => {
      this.endings.push({
        resolve: () => {
          resolve([]);
        },
        reject,
      });
    });
  }

  async acknowledge(): Promise<void> {
    this.endings.shift()?.resolve();
    await settle();
  }

  async fail(): Promise<void> {
    this.endings.shift()?.reject(new Error('broker gone'));
    await settle();
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }
}

/** Let everything that is ready run. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

const message = (value: string): OutgoingMessage => ({ key: null, value });

describe('the outbox', () => {
  it('reports how long a message waited once the broker has it, and not before', async () => {
    const producer = new SlowProducer();
    const reported: [string, number][] = [];
    const outbox = new Outbox(producer, 1_000, jest.fn(), (topic, seconds) =>
      reported.push([topic, seconds]),
    );
    outbox.push('results', message('a'));
    await settle();
    expect(reported).toEqual([]);
    await producer.acknowledge();
    expect(reported).toEqual([['results', expect.any(Number)]]);
    expect(reported[0]?.[1]).toBeGreaterThanOrEqual(0);
  });

  it('sends in order, gathering what comes while a request is under way', async () => {
    const producer = new SlowProducer();
    const outbox = new Outbox(producer, 1_000, () => undefined);
    outbox.push('rows', message('1'));
    outbox.push('rows', message('2'));
    outbox.push('rejects', message('r'));
    await settle();
    outbox.push('rows', message('3'));
    outbox.push('rows', message('4'));
    await settle();
    expect(producer.sent).toEqual([
      { topic: 'rows', values: ['1', '2'] },
      { topic: 'rejects', values: ['r'] },
    ]);
    await producer.acknowledge();
    expect(producer.sent.at(-1)).toEqual({ topic: 'rows', values: ['3', '4'] });
  });

  it('is settled when everything is acknowledged', async () => {
    const producer = new SlowProducer();
    const outbox = new Outbox(producer, 1_000, () => undefined);
    outbox.push('rows', message('1'));
    await settle();
    let settled = false;
    void outbox.settled().then(() => {
      settled = true;
    });
    outbox.push('rows', message('2'));
    await producer.acknowledge();
    expect(settled).toBe(false);
    await producer.acknowledge();
    expect(settled).toBe(true);
    expect(outbox.pendingBytes).toBe(0);
  });

  it('makes the caller wait while more than its capacity is under way', async () => {
    const producer = new SlowProducer();
    const outbox = new Outbox(producer, 10, () => undefined);
    outbox.push('rows', message('x'.repeat(20)));
    expect(outbox.isFull).toBe(true);
    let room = false;
    void outbox.whenRoom().then(() => {
      room = true;
    });
    await settle();
    expect(room).toBe(false);
    await producer.acknowledge();
    expect(room).toBe(true);
  });

  it('ends every wait with the cause when a send fails for good, and sends nothing more', async () => {
    const producer = new SlowProducer();
    const failures: string[] = [];
    const outbox = new Outbox(producer, 10, ({ message: text }) => failures.push(text));
    outbox.push('rows', message('x'.repeat(20)));
    await settle();
    const waits = [outbox.settled(), outbox.whenRoom()].map((wait) =>
      expect(wait).rejects.toThrow('broker gone'),
    );
    await producer.fail();
    await Promise.all(waits);
    outbox.push('rows', message('more'));
    await settle();
    expect(failures).toEqual(['broker gone']);
    expect(producer.sent).toHaveLength(1);
    await expect(outbox.settled()).rejects.toThrow('broker gone');
  });
});
