import { type Socket } from 'node:net';
import { prototypeWith, type LibraryPatch } from './patch-module';

interface LibraryConnection {
  readonly socket: Socket | undefined;
  /** What has come of an answer so far, and how much makes it whole. */
  chunks: Buffer[];
  bytesBuffered: number;
  bytesNeeded: number;
}

interface LibraryMethods {
  connect: (this: LibraryConnection) => Promise<unknown>;
  isConnected: (this: LibraryConnection) => boolean;
}

/** An answer begins with its length. */
const LENGTH_BYTES = 4;
const connecting = new WeakMap<LibraryConnection, Promise<unknown>>();

/** A connection that was cut in the middle of an answer begins anew, with one socket, and without the half that had come. */
export const freshConnections: LibraryPatch = {
  name: 'fresh-connections',
  module: 'kafkajs/src/network/connection',
  otherwise: 'a connection that was cut in the middle of an answer understands none any more',
  apply(connection) {
    const prototype = prototypeWith<LibraryMethods>(connection, 'connect', 'isConnected');
    if (prototype === undefined) return false;
    const { connect, isConnected } = prototype;
    prototype.connect = function connectAnew() {
      if (isConnected.call(this)) return connect.call(this);
      const begun = connecting.get(this);
      if (begun !== undefined) return begun;
      // What still comes over the former socket would be read as if it came over the new one.
      this.socket?.destroy();
      this.chunks = [];
      this.bytesBuffered = 0;
      this.bytesNeeded = LENGTH_BYTES;
      const connected = connect.call(this).finally(() => connecting.delete(this));
      connecting.set(this, connected);
      return connected;
    };
    return true;
  },
};
