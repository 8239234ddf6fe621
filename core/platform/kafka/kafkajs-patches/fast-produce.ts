import { CompressionTypes } from 'kafkajs';
import { encodeProduceRequest, type ProduceRequest } from './produce-request';
import { changeLibrary, hasFunction } from './patch-module';

/** The library's own writer of Produce requests: every producer of the process goes through it. */
const LIBRARY_WRITER = 'kafkajs/src/protocol/requests/produce';

/** Versions whose body is laid out as `encodeProduceRequest` writes it. */
const FIRST_VERSION = 3;
const LAST_VERSION = 7;

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
  readonly response: unknown;
}

/** Have the library send what `encodeProduceRequest` writes where a request allows it. */
export function useFastProduce(): void {
  changeLibrary(LIBRARY_WRITER, isWriter, (writer) => {
    const protocolOfLibrary = writer.protocol;
    writer.protocol = (wanted) => {
      const produceByLibrary = protocolOfLibrary(wanted);
      if (wanted.version < FIRST_VERSION || wanted.version > LAST_VERSION) return produceByLibrary;
      return (produced) => {
        const made = produceByLibrary(produced);
        if (!isPlain(produced)) return made;
        return { ...made, request: { ...made.request, encode: () => Promise.resolve(encoded(produced)) } };
      };
    };
  });
}

function isPlain({ compression, transactionalId, producerId }: LibraryProduce): boolean {
  return (
    (compression ?? CompressionTypes.None) === CompressionTypes.None &&
    (transactionalId ?? null) === null &&
    (producerId ?? -1) === -1
  );
}

/** What the library's `writeEncoder` looks at. */
function encoded(produced: ProduceRequest): { readonly buf: Buffer; readonly buffer: Buffer } {
  const body = encodeProduceRequest(produced, Date.now());
  return { buf: body, buffer: body };
}

function isWriter(found: unknown): found is LibraryWriter {
  return hasFunction(found, 'protocol');
}
