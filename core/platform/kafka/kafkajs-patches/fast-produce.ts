import { CompressionTypes } from 'kafkajs';
import { encodeProduceRequest, type ProduceRequest } from './produce-request';
import { hasFunction, type LibraryPatch } from './patch-module';

/** Versions whose body is laid out as `encodeProduceRequest` writes it. */
const MIN_VERSION = 3;
const MAX_VERSION = 7;

interface LibraryWriter {
  protocol: (wanted: { readonly version: number }) => (produced: LibraryProduce) => LibraryRequest;
}

interface LibraryProduce extends ProduceRequest {
  readonly compression?: CompressionTypes;
  readonly transactionalId?: string | null;
  readonly producerId?: number;
}

interface LibraryRequest {
  readonly request: object;
}

/** Every producer sends what `encodeProduceRequest` writes where a request allows it. */
export const fastProduce: LibraryPatch = {
  name: 'fast-produce',
  module: 'kafkajs/src/protocol/requests/produce',
  otherwise: 'what is sent is copied eight times, and its checksum is taken in JavaScript',
  apply(writer) {
    if (!hasFunction<LibraryWriter>(writer, 'protocol')) return false;
    const protocolOfLibrary = writer.protocol;
    writer.protocol = (wanted) => {
      const produceByLibrary = protocolOfLibrary(wanted);
      if (wanted.version < MIN_VERSION || wanted.version > MAX_VERSION) return produceByLibrary;
      return (produced) => {
        const made = produceByLibrary(produced);
        if (!isPlain(produced)) return made;
        const encode = (): Promise<object> => {
          // What the library's `writeEncoder` looks at.
          const buf = encodeProduceRequest(produced, Date.now());
          return Promise.resolve({ buf, buffer: buf });
        };
        return { ...made, request: { ...made.request, encode } };
      };
    };
    return true;
  },
};

function isPlain({ compression, transactionalId, producerId }: LibraryProduce): boolean {
  return (
    (compression ?? CompressionTypes.None) === CompressionTypes.None &&
    (transactionalId ?? null) === null &&
    (producerId ?? -1) === -1
  );
}
