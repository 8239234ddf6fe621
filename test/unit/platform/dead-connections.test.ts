import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { Kafka as KafkaJs, logLevel } from 'kafkajs';
import { BrokerContact } from '../../../core/platform/kafka/contact';
import { patchKafkajs } from '../../../core/platform/kafka/kafkajs-patches';
import { silentLogger } from '../../../core/platform/log';

/** Accepts everything, and says nothing. */
const REQUEST_MILLIS = 300;
let server: Server;
let sockets: Socket[];
let broker: string;

beforeAll(() => {
  patchKafkajs(silentLogger());
});
beforeEach(async () => {
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  broker = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function contactWithLog(): { contact: BrokerContact; said: string[] } {
  const said: string[] = [];
  const log = pino(
    { level: 'info' },
    { write: (line: string) => said.push((JSON.parse(line) as { msg: string }).msg) },
  );
  return {
    contact: new BrokerContact([broker], { tls: undefined, sasl: undefined, mechanism: undefined }, log),
    said,
  };
}

const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => {
    socket.once('close', resolve);
  });

describe('a broker that accepts everything and answers nothing', () => {
  it('loses the connection when a request has had its time, and is named once', async () => {
    const { contact, said } = contactWithLog();
    contact.started();
    const admin = new KafkaJs({
      brokers: [broker],
      socketFactory: contact.sockets(),
      requestTimeout: REQUEST_MILLIS,
      retry: { retries: 1, initialRetryTime: 1 },
      logLevel: logLevel.NOTHING,
    }).admin();
    await expect(admin.connect()).rejects.toThrow();
    await Promise.all(sockets.filter((socket) => !socket.closed).map(closed));
    expect(sockets.length).toBe(2);
    const message = `the Kafka broker ${broker} does not answer`;
    expect(said).toEqual([message]);
    expect(contact.trouble?.message).toBe(message);
    contact.answered(broker);
    expect(contact.trouble).toBeUndefined();
    expect(said.at(-1)).toBe(`the Kafka broker ${broker} answers again`);
    await admin.disconnect();
  });
});

/** kafkajs's own request and answer: which versions of requests there are. Size and correlation id, no error, none listed, no throttle. */
function answerTo(request: Buffer): Buffer {
  const answer = Buffer.alloc(18);
  answer.writeInt32BE(14, 0);
  request.copy(answer, 4, 8, 12);
  return answer;
}

describe('a connection that is cut in the middle of an answer', () => {
  it('understands the next answer', async () => {
    server.on('connection', (socket) => {
      const isFirst = sockets.length === 1;
      socket.on('data', (request: Buffer) => {
        const answer = answerTo(request);
        if (isFirst) socket.write(answer.subarray(0, 9), () => socket.destroy());
        else socket.write(answer);
      });
    });
    const admin = new KafkaJs({
      brokers: [broker],
      requestTimeout: REQUEST_MILLIS,
      retry: { retries: 0 },
      logLevel: logLevel.NOTHING,
    }).admin();
    await expect(admin.connect()).rejects.toThrow();
    await admin.connect();
    expect(sockets.length).toBe(2);
    await admin.disconnect();
  });
});
