import { prototypeWith, type LibraryPatch } from './patch-module';

interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface TopicPlaces {
  readonly topic: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: string }[];
}

/** What a member of a group knows of its places. */
interface LibraryOffsets {
  readonly cluster: {
    fetchTopicsOffset(
      topics: readonly {
        readonly topic: string;
        readonly partitions: readonly Pick<Place, 'partition'>[];
        readonly fromBeginning: boolean;
      }[],
    ): Promise<readonly TopicPlaces[]>;
  };
  /** Next offset to fetch by topic and partition. */
  readonly resolvedOffsets: Readonly<Record<string, Record<number, string>>>;
}

interface OffsetMethods {
  /** The next offset to fetch, which the broker has refused. */
  nextOffset: (this: LibraryOffsets, topic: string, partition: number) => { toString(): string };
  setDefaultOffset: (this: LibraryOffsets, place: Place) => Promise<void>;
}

/**
 * Where records behind a group's place are gone, the member reads on from the first that is there, and what is committed stays: it alone
 * says after a crash how much was lost.
 */
export const keptPlaces: LibraryPatch = {
  name: 'kept-places',
  module: 'kafkajs/src/consumer/offsetManager',
  otherwise: 'records that a topic lets go may not be counted when a worker crashes before the next record',
  apply(manager) {
    const prototype = prototypeWith<OffsetMethods>(manager, 'setDefaultOffset', 'nextOffset');
    if (prototype === undefined) return false;
    const { setDefaultOffset } = prototype;
    prototype.setDefaultOffset = async function readOnFromFirst({ topic, partition }) {
      const found = await this.cluster.fetchTopicsOffset([
        { topic, partitions: [{ partition }], fromBeginning: true },
      ]);
      const first = found[0]?.partitions[0]?.offset;
      const places = this.resolvedOffsets[topic];
      const isGone =
        first !== undefined &&
        BigInt(prototype.nextOffset.call(this, topic, partition).toString()) < BigInt(first);
      // A place behind the end is one of another log: there the library's way is right.
      if (!isGone || places === undefined) return setDefaultOffset.call(this, { topic, partition });
      places[partition] = first;
    };
    return true;
  },
};
