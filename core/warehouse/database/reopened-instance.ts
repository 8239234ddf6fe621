import { type DuckDBInstance } from '@duckdb/node-api';
import { messageOf } from '../../contracts/errors';
import { SerialConnection } from './connection';
import { isInvalidated } from './trouble';

/**
 * An instance of DuckDB that is opened again when a failure has made it unusable: a checkpoint that a full disk cuts off does so, while all
 * that was committed is safe in the file and its log. Connections go on over the new instance; work that was cut off has failed.
 */
export class ReopenedInstance {
  private readonly open = new Set<SerialConnection>();
  private shared: DuckDBInstance | undefined;
  private isShared = false;
  private isUsable = true;
  private reopening: Promise<void> | undefined;

  private constructor(
    private instance: DuckDBInstance,
    private readonly create: () => Promise<DuckDBInstance>,
    /** Opens the file once more, so that others may read it. */
    private readonly createShared: () => Promise<DuckDBInstance>,
  ) {}

  static async open(
    create: () => Promise<DuckDBInstance>,
    createShared: () => Promise<DuckDBInstance>,
  ): Promise<ReopenedInstance> {
    return new ReopenedInstance(await create(), create, createShared);
  }

  async connect(): Promise<SerialConnection> {
    const connection = new SerialConnection(await this.instance.connect(), {
      ready: () => (this.isUsable ? undefined : this.reopen()),
      onFailure: (cause) => {
        if (isInvalidated(messageOf(cause))) this.isUsable = false;
      },
    });
    this.open.add(connection);
    return connection;
  }

  async disconnect(connection: SerialConnection): Promise<void> {
    this.open.delete(connection);
    await connection.close();
  }

  async share(): Promise<void> {
    this.isShared = true;
    this.shared ??= await this.createShared();
  }

  /** Close every connection after its last statement, then the file. */
  async close(): Promise<void> {
    await Promise.all([...this.open].map((connection) => connection.close()));
    this.open.clear();
    this.closeInstances();
  }

  /** Rejects with why it cannot be opened now; the next piece of work tries again. */
  private reopen(): Promise<void> {
    this.reopening ??= this.openAgain().finally(() => {
      this.reopening = undefined;
    });
    return this.reopening;
  }

  private async openAgain(): Promise<void> {
    const connections = [...this.open];
    await Promise.all(connections.map((connection) => connection.settled()));
    for (const connection of connections) connection.release();
    this.closeInstances();
    this.instance = await this.create();
    if (this.isShared) this.shared = await this.createShared();
    for (const connection of connections) connection.replace(await this.instance.connect());
    this.isUsable = true;
  }

  private closeInstances(): void {
    this.shared?.closeSync();
    this.shared = undefined;
    this.instance.closeSync();
  }
}
