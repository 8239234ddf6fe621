import { decodeMetadataResponse, encodeMetadataRequest, METADATA_VERSION } from './metadata-protocol';
import { hasFunction, type LibraryPatch } from './patch-module';

/** The newest version that the library knows. */
const NEWEST_OF_LIBRARY = 6;

interface LibraryMetadata {
  readonly versions: string[];
  protocol: (wanted: { readonly version: number }) => (question: LibraryQuestion) => LibraryRequest;
}

interface LibraryQuestion {
  readonly topics: readonly string[];
  readonly allowAutoTopicCreation?: boolean;
}

interface LibraryRequest {
  readonly request: object;
  readonly response: object;
}

/** Ids by the list of a topic's partitions, which the library hands on as it was read. */
const idsByPartitions = new WeakMap<object, string>();

/**
 * The id of a topic: one that is made anew under its name has another.
 * @param partitions of the topic, as the library's metadata have them
 * @returns 32 hexadecimal digits; undefined where the broker tells no ids, as before Kafka 2.8
 */
export function topicIdOf(partitions: object): string | undefined {
  return idsByPartitions.get(partitions);
}

/** Metadata are asked for in the version that has the ids of topics, of brokers that know it. */
export const topicIds: LibraryPatch = {
  name: 'topic-ids',
  module: 'kafkajs/src/protocol/requests/metadata',
  otherwise:
    "a source's topic that is deleted and made anew within seconds, and soon longer than before, may be read on in its middle",
  apply(metadata) {
    if (!hasFunction<LibraryMetadata>(metadata, 'protocol') || !Array.isArray(metadata.versions))
      return false;
    const { protocol } = metadata;
    metadata.versions.push(String(METADATA_VERSION));
    metadata.protocol = ({ version }) => {
      const inOldest = protocol({ version: Math.min(version, NEWEST_OF_LIBRARY) });
      return version < METADATA_VERSION ? inOldest : (question) => withIds(inOldest(question), question);
    };
    return true;
  },
};

function withIds(
  { request, response }: LibraryRequest,
  { topics, allowAutoTopicCreation = true }: LibraryQuestion,
): LibraryRequest {
  return {
    request: {
      ...request,
      apiVersion: METADATA_VERSION,
      // The library's encoder takes what has these two.
      encode: () => {
        const buffer = encodeMetadataRequest(topics, allowAutoTopicCreation);
        return Promise.resolve({ buf: buffer, buffer });
      },
    },
    response: {
      ...response,
      decode: (answer: Buffer) => {
        const decoded = decodeMetadataResponse(answer);
        for (const { partitionMetadata, topicId } of decoded.topicMetadata)
          idsByPartitions.set(partitionMetadata, topicId);
        return Promise.resolve(decoded);
      },
    },
  };
}
