import { connect as connectPlain, type Socket } from 'node:net';
import { speaksTls, whenAnswered } from '../listeners';

/** What a listener turned out to be. `mechanisms`: those that it offers; undefined where it asks for no user. */
export type Listener =
  { readonly tls: true } | { readonly tls: false; readonly mechanisms: readonly string[] | undefined };

const SASL_HANDSHAKE = 17;
const ILLEGAL_SASL_STATE = 34;
/** A list of mechanisms takes a few dozen bytes; whoever sends more is no broker. */
const MAX_ANSWER_BYTES = 4_096;

/** @returns what listens there; undefined where that cannot be told. */
export async function probeListener(broker: string): Promise<Listener | undefined> {
  const at = broker.lastIndexOf(':');
  const place = { host: broker.slice(0, at), port: Number(broker.slice(at + 1)) };
  const [mechanisms, tls] = await Promise.all([mechanismsAt(() => connectPlain(place)), speaksTls(place)]);
  if (mechanisms !== undefined) return { tls: false, mechanisms: mechanisms.offered };
  return tls ? { tls: true } : undefined;
}

/**
 * Mechanisms of a listener that is spoken with in clear, or through TLS.
 * @returns undefined where it gives no answer that a broker would give.
 */
export function mechanismsAt(
  open: () => Socket,
): Promise<{ readonly offered: readonly string[] | undefined } | undefined> {
  return whenAnswered(open, (socket, done) => {
    let received = Buffer.alloc(0);
    socket.write(saslHandshake());
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length > MAX_ANSWER_BYTES) done(undefined);
      else if (received.length >= 4 && received.length >= 4 + received.readUInt32BE(0))
        done(readAnswer(received));
    });
  });
}

/** Kafka's protocol: SaslHandshake, version 1, with a header of version 1. It asks for PLAIN; the answer lists what there is. */
function saslHandshake(): Buffer {
  const body = Buffer.concat([shorts(SASL_HANDSHAKE, 1, 0, 0), text('fedloop'), text('PLAIN')]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}

function shorts(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) buffer.writeInt16BE(value, 2 * index);
  return buffer;
}

function text(value: string): Buffer {
  return Buffer.concat([shorts(value.length), Buffer.from(value)]);
}

/** Length, number of the request, code of the error, list of mechanisms. */
function readAnswer(answer: Buffer): { readonly offered: readonly string[] | undefined } | undefined {
  try {
    if (answer.readInt32BE(4) !== 0) return undefined;
    if (answer.readInt16BE(8) === ILLEGAL_SASL_STATE) return { offered: undefined };
    const offered: string[] = [];
    let at = 14;
    for (let left = answer.readInt32BE(10); left > 0; left -= 1) {
      const length = answer.readInt16BE(at);
      offered.push(answer.toString('latin1', at + 2, at + 2 + length));
      at += 2 + length;
    }
    return { offered };
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}
