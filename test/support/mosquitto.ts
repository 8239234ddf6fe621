import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';

export interface MqttMessage {
  readonly topic: string;
  readonly value: string | Buffer;
  readonly retain?: boolean;
}

/** A real MQTT server on a port of its own, which a test may stop and start again; it keeps what it was to keep. */
export class Mosquitto {
  private child: ChildProcess | undefined;

  private constructor(
    readonly folder: string,
    readonly port: number,
  ) {}

  /**
   * @param extra lines of its configuration; without any, whoever comes is let in.
   * @param folder for its files, removed with it.
   */
  static async make(
    extra: readonly string[] = ['allow_anonymous true'],
    folder?: string,
  ): Promise<Mosquitto> {
    const own = folder ?? (await mkdtemp(join(tmpdir(), 'fedloop-mosquitto-')));
    const port = await freePort();
    const config = [
      `listener ${port} 127.0.0.1`,
      'persistence true',
      `persistence_location ${own}/`,
      ...(userInfo().uid === 0 ? ['user root'] : []),
      'max_queued_messages 10000',
      ...extra,
    ];
    await writeFile(join(own, 'mosquitto.conf'), config.join('\n'));
    return new Mosquitto(own, port);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  start(): void {
    this.child = spawn('mosquitto', ['-c', join(this.folder, 'mosquitto.conf')], { stdio: 'ignore' });
  }

  async stop(): Promise<void> {
    const { child } = this;
    this.child = undefined;
    if (child === undefined) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  /** What it was to keep is gone, as with a server that keeps nothing over its restarts. To be called while it is stopped. */
  async forget(): Promise<void> {
    await rm(join(this.folder, 'mosquitto.db'), { force: true });
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** With QoS 1, as a device would that wants them kept. */
  async publish(messages: readonly MqttMessage[], as: Login = {}): Promise<void> {
    const { username, password } = as;
    const login = username === undefined ? {} : { username, password: password ?? '' };
    const client = await connectAsync(this.url, { protocolVersion: 4, ...login });
    await Promise.all(
      messages.map(({ topic, value, retain = false }) =>
        client.publishAsync(topic, value, { qos: 1, retain }),
      ),
    );
    await client.endAsync();
  }
}

interface Login {
  readonly username?: string;
  readonly password?: string;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
