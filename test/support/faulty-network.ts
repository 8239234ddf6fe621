import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** How a network behaves. */
export type Weather =
  | { readonly is: 'clear' }
  /** Each piece comes late, and no faster than so many bytes a second one way. */
  | { readonly is: 'slow'; readonly latencyMillis: number; readonly bytesPerSecond: number }
  /** Every connection is reset, and each new one as well. */
  | { readonly is: 'resetting' }
  /** Every connection ends in the middle of the next thing that the server says. */
  | { readonly is: 'cutting' }
  /** Everything is accepted and nothing is passed on. What waits is passed on afterwards, as TCP would send it again. */
  | { readonly is: 'black hole' };

/** A piece of so many bytes can be cut in two. */
const CUTTABLE_BYTES = 2;

/** One client's connection and ours to the server, and whether the network has forgotten them. */
interface Line {
  readonly client: Socket;
  readonly server: Socket;
  isForgotten: boolean;
}

/** A TCP proxy on loopback in front of a server, through which all of its clients go, and which a test makes as bad as it likes. */
export class FaultyNetwork {
  private readonly lines = new Set<Line>();
  private weather: Weather = { is: 'clear' };
  private cleared: () => void = () => undefined;
  private untilCleared: Promise<void> = Promise.resolve();

  private constructor(
    private readonly listener: Server,
    private readonly target: number,
  ) {}

  /** @param target the server's port on loopback; it may be started later, and go away. */
  static async before(target: number): Promise<FaultyNetwork> {
    const listener = createServer({ allowHalfOpen: true });
    const network = new FaultyNetwork(listener, target);
    listener.on('connection', (client) => {
      network.accept(client);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    return network;
  }

  /** Where clients go instead of to the server. */
  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  become(weather: Weather): void {
    this.weather = weather;
    this.cleared();
    this.untilCleared = new Promise((resolve) => {
      this.cleared = resolve;
    });
    if (weather.is === 'resetting') for (const line of this.lines) this.reset(line);
  }

  /** The network does so for a while, and is clear again. */
  async be(weather: Weather, millis: number): Promise<void> {
    this.become(weather);
    await sleep(millis);
    this.become({ is: 'clear' });
  }

  /** The server's ends of all connections close, and no client hears of it: what it sends is swallowed for ever. New connections are as the weather is. */
  forget(): void {
    for (const line of this.lines) {
      line.isForgotten = true;
      line.server.destroy();
    }
  }

  async close(): Promise<void> {
    this.become({ is: 'clear' });
    for (const line of this.lines) this.reset(line);
    await new Promise((resolve) => this.listener.close(resolve));
  }

  private accept(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.target, allowHalfOpen: true });
    const line: Line = { client, server, isForgotten: false };
    this.lines.add(line);
    // An ending that is an error for one side is one for the other, where the network knows of both.
    const fail = (): void => {
      if (!line.isForgotten) this.reset(line);
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', fail);
    }
    client.on('close', () => {
      this.reset(line);
    });
    if (this.weather.is === 'resetting') this.reset(line);
    this.carry(line, 'client', 'server').catch(fail);
    this.carry(line, 'server', 'client').catch(fail);
  }

  private async carry(line: Line, from: 'client' | 'server', to: 'client' | 'server'): Promise<void> {
    // One side may have said all while the other still speaks.
    const pieces = line[from].iterator({ destroyOnReturn: false });
    for await (const piece of pieces) await this.pass(line, piece as Buffer, to);
    if (!line.isForgotten) line[to].end();
  }

  /** Weather may change while a piece is under way. */
  private async pass(line: Line, piece: Buffer, to: 'client' | 'server'): Promise<void> {
    while (this.weather.is === 'black hole') await this.untilCleared;
    if (line.isForgotten) return;
    const { weather } = this;
    if (weather.is === 'slow')
      await sleep(weather.latencyMillis + (1_000 * piece.length) / weather.bytesPerSecond);
    if (weather.is === 'cutting' && to === 'client' && piece.length >= CUTTABLE_BYTES) {
      await write(line.client, piece.subarray(0, piece.length / 2));
      this.reset(line);
      return;
    }
    await write(line[to], piece).catch((cause: unknown) => {
      if (!line.isForgotten) throw cause;
    });
  }

  private reset(line: Line): void {
    if (!this.lines.delete(line)) return;
    line.client.resetAndDestroy();
    line.server.resetAndDestroy();
  }
}

/** Resolves when the other side has room for more. */
function write(socket: Socket, piece: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(piece, (cause) => {
      if (cause == null) resolve();
      else reject(cause);
    });
  });
}
