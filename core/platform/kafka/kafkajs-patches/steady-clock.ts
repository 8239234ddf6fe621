import { prototypeWith, type LibraryPatch } from './patch-module';

interface LibraryMember {
  /** By the wall clock; set when the broker has answered a heartbeat. */
  lastRequest: number;
}

interface MemberMethods {
  heartbeat: (this: LibraryMember, wanted: { readonly interval: number }) => Promise<unknown>;
}

/** Earlier than any time: the library's own look at the wall clock finds that a heartbeat is due. */
const LONG_AGO = -Infinity;
const lastHeartbeats = new WeakMap<LibraryMember, number>();

/** A member of a group heartbeats by a clock that nobody sets: with one that was set back, the group would take it for dead. */
export const steadyHeartbeats: LibraryPatch = {
  name: 'steady-heartbeats',
  module: 'kafkajs/src/consumer/consumerGroup',
  otherwise: 'a clock that is set back by an hour takes a worker out of its group for an hour',
  apply(group) {
    const prototype = prototypeWith<MemberMethods>(group, 'heartbeat');
    if (prototype === undefined) return false;
    const { heartbeat } = prototype;
    prototype.heartbeat = async function heartbeatWhenDue(wanted) {
      const now = performance.now();
      if (now - (lastHeartbeats.get(this) ?? LONG_AGO) < wanted.interval) return;
      this.lastRequest = LONG_AGO;
      await heartbeat.call(this, wanted);
      lastHeartbeats.set(this, performance.now());
    };
    return true;
  },
};

interface LibraryPool {
  readonly metadataMaxAge: number;
  /** By the wall clock; null asks for a look. */
  metadataExpireAt: number | null;
}

interface PoolMethods {
  refreshMetadata: (this: LibraryPool, topics: readonly string[]) => Promise<unknown>;
  refreshMetadataIfNecessary: (this: LibraryPool, topics: readonly string[]) => Promise<unknown>;
}

const lastLooks = new WeakMap<LibraryPool, number>();

/** What a client knows of topics ages by a clock that nobody sets: with one that was set back, new partitions would stay unknown. */
export const steadyMetadata: LibraryPatch = {
  name: 'steady-metadata',
  module: 'kafkajs/src/cluster/brokerPool',
  otherwise: 'a clock that is set back by an hour hides new partitions for an hour',
  apply(pool) {
    const prototype = prototypeWith<PoolMethods>(pool, 'refreshMetadata', 'refreshMetadataIfNecessary');
    if (prototype === undefined) return false;
    const { refreshMetadata, refreshMetadataIfNecessary } = prototype;
    prototype.refreshMetadata = async function refreshAndNote(topics) {
      const refreshed = await refreshMetadata.call(this, topics);
      lastLooks.set(this, performance.now());
      return refreshed;
    };
    prototype.refreshMetadataIfNecessary = function refreshWhenOld(topics) {
      const age = performance.now() - (lastLooks.get(this) ?? LONG_AGO);
      if (age > this.metadataMaxAge) this.metadataExpireAt = null;
      return refreshMetadataIfNecessary.call(this, topics);
    };
    return true;
  },
};
