import { type Socket } from 'node:net';
import { type ISocketFactory } from 'kafkajs';
import { watchRequests } from './dead-connections';
import { prototypeWith, type LibraryPatch } from './patch-module';

/** Hears how the connections of a client begin and end. Brokers are `host:port`. */
export interface ConnectionWatcher {
  /** A connection is open, TLS included. */
  opened(broker: string): void;
  /** A connection has failed or was closed. @returns whether another attempt may succeed. */
  ended(broker: string, cause: unknown): boolean;
  /** The broker has accepted the login. */
  entered(broker: string): void;
  /** The login has failed. @returns whether another attempt may succeed. */
  loginFailed(broker: string, cause: unknown): boolean;
  /** The broker has answered a request. */
  answered(broker: string): void;
  /** The broker has not answered a request for as long as that may take. */
  silent(broker: string): void;
}

interface LibraryConnection {
  readonly broker: string;
  readonly sasl: unknown;
  readonly socketFactory: ISocketFactory;
  readonly requestQueue: object;
  readonly requestTimeout: number;
  readonly socket: Socket | undefined;
  readonly disconnect: () => Promise<unknown>;
}

interface LibraryMethods {
  connect: (this: LibraryConnection) => Promise<unknown>;
  authenticate: (this: LibraryConnection) => Promise<void>;
  disconnect: (this: LibraryConnection) => Promise<unknown>;
  rejectRequests: (this: LibraryConnection, error: unknown) => void;
}

/** Clients are told apart by what makes their sockets: each has one of its own. */
const watchers = new WeakMap<ISocketFactory, ConnectionWatcher>();

export function watchConnections(client: ISocketFactory, watcher: ConnectionWatcher): void {
  watchers.set(client, watcher);
}

/** Whoever has made the client hears of every ending, and decides whether the library tries again. */
export const connectionEndings: LibraryPatch = {
  name: 'connection-endings',
  module: 'kafkajs/src/network/connection',
  otherwise:
    'a start that no retry can mend takes half a minute to say so, and a worker ends when its password has changed',
  apply(connection) {
    const prototype = prototypeWith<LibraryMethods>(
      connection,
      'connect',
      'authenticate',
      'disconnect',
      'rejectRequests',
    );
    if (prototype === undefined) return false;
    const { connect, authenticate, disconnect, rejectRequests } = prototype;
    prototype.connect = async function connectAndTell() {
      const connected = await connect.call(this);
      const watcher = watchers.get(this.socketFactory);
      watcher?.opened(this.broker);
      if (watcher !== undefined) watchAnswers(this, watcher);
      return connected;
    };
    prototype.authenticate = async function authenticateAndTell() {
      try {
        await authenticate.call(this);
      } catch (cause) {
        const watcher = watchers.get(this.socketFactory);
        if (watcher !== undefined) setRetriable(cause, watcher.loginFailed(this.broker, cause));
        // The broker answers nothing more on it, and closes it a moment later.
        await this.disconnect();
        throw cause;
      }
      if (isObject(this.sasl)) watchers.get(this.socketFactory)?.entered(this.broker);
    };
    prototype.disconnect = function disconnectAndForget() {
      forgetSigns(this);
      return disconnect.call(this);
    };
    prototype.rejectRequests = function rejectAndTell(error) {
      const watcher = watchers.get(this.socketFactory);
      forgetSigns(this);
      if (watcher?.ended(this.broker, error) === false) setRetriable(error, false);
      rejectRequests.call(this, error);
    };
    return true;
  },
};

/** The open connections of a client, and when something last came over each. */
const lastSigns = new WeakMap<ConnectionWatcher, Map<LibraryConnection, number>>();

function watchAnswers(connection: LibraryConnection, watcher: ConnectionWatcher): void {
  const { broker } = connection;
  const signs = lastSigns.get(watcher) ?? new Map<LibraryConnection, number>();
  lastSigns.set(watcher, signs);
  signs.set(connection, performance.now());
  watchRequests(connection.requestQueue, {
    answered() {
      signs.set(connection, performance.now());
      watcher.answered(broker);
    },
    timedOut() {
      watcher.silent(broker);
      const silentBefore = performance.now() - connection.requestTimeout;
      // What has become of one may have become of those that nobody has used since: each would take its own time to show it.
      for (const [other, sign] of signs)
        if (other === connection || (other.broker === broker && sign < silentBefore)) giveUp(other);
    },
  });
}

function forgetSigns(connection: LibraryConnection): void {
  const watcher = watchers.get(connection.socketFactory);
  if (watcher !== undefined) lastSigns.get(watcher)?.delete(connection);
}

/** Nothing comes over this connection: the next attempt gets another, as Kafka's own clients do it. */
function giveUp(connection: LibraryConnection): void {
  connection.socket?.destroy(new Error('the broker does not answer'));
}

function setRetriable(error: unknown, retriable: boolean): void {
  if (isObject(error)) Reflect.set(error, 'retriable', retriable);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
