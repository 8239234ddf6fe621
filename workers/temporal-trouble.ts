import { connect as connectPlain, isIP } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { FedloopError } from '../core/contracts/errors';
import { speaksTls, whenAnswered, type Place } from '../core/platform/listeners';
import { certificateRefused, tlsTrouble } from '../core/platform/tls-trouble';
import { type temporalConfig } from './temporal-config';

type Config = ReturnType<typeof temporalConfig>['connectionOptions'];

/** What a client of HTTP/2 begins with: its preface, and settings that change nothing (RFC 9113, 3.4). */
const HTTP2_START = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
/** Where the type of a frame stands, and that of the settings, which a server begins with as well. */
const FRAME_TYPE_AT = 3;
const SETTINGS = 4;
const NAMES = {
  address: 'TEMPORAL_ADDRESS',
  ca: 'TEMPORAL_TLS_SERVER_CA_CERT_PATH',
  certificate: 'TEMPORAL_TLS_CLIENT_CERT_PATH',
  key: 'TEMPORAL_TLS_CLIENT_KEY_PATH',
};
const DEFAULT_PORT = 7_233;

/**
 * Look at a Temporal server as a client would, with the same certificates: gRPC says of all that TLS refuses only that the server is not available, and
 * tries again until its time is up.
 * @throws FedloopError `InvalidConfig` for what no retry mends. Where nobody answers, nothing is said.
 */
export async function refuseTlsTrouble({
  address = 'localhost:7233',
  tls: configured,
  apiKey,
}: Config): Promise<void> {
  // The SDK takes a key to mean TLS.
  const tls = configured ?? apiKey !== undefined;

  const server = `the Temporal server at ${address}`;
  const place = placeOf(address);
  if (tls === false) {
    if ((await speaksHttp2(place)) || !(await speaksTls(place))) return;
    const hint = 'Set TEMPORAL_TLS=true, or let TEMPORAL_ADDRESS name a port without TLS.';
    throw new FedloopError('InvalidConfig', `${server} speaks TLS`, { hint });
  }
  const own = tls === true ? {} : tls;
  const { serverNameOverride: name = place.host, serverRootCACertificate: ca, clientCertPair: pair } = own;
  const ending = await tlsEnding({
    ...place,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca === undefined ? {} : { ca: Buffer.from(ca) }),
    ...(pair === undefined ? {} : { cert: Buffer.from(pair.crt), key: Buffer.from(pair.key) }),
  });
  if (ending === undefined) return;
  const attempt = { server, names: NAMES, hasCa: ca !== undefined, hasCertificate: pair !== undefined };
  const trouble = ending.how === 'failed' ? tlsTrouble(ending.cause, attempt) : certificateRefused(attempt);
  if (trouble !== undefined) throw new FedloopError('InvalidConfig', trouble.message, { hint: trouble.hint });
  if (!(await speaksHttp2(place))) return;
  const hint = 'Unset TEMPORAL_TLS and its relatives, or let TEMPORAL_ADDRESS name a port with TLS.';
  throw new FedloopError('InvalidConfig', `${server} speaks no TLS`, { hint });
}

function placeOf(address: string): Place {
  const [, host = address, port] = /^(.*?)(?::(\d{1,5}))?$/.exec(address) ?? [];
  return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === undefined ? DEFAULT_PORT : Number(port) };
}

async function speaksHttp2(place: Place): Promise<boolean> {
  const answer = await whenAnswered<boolean>(
    () => connectPlain(place),
    (socket, done) => {
      socket.write(HTTP2_START);
      socket.once('data', (chunk: Buffer) => {
        done(chunk[FRAME_TYPE_AT] === SETTINGS);
      });
    },
  );
  return answer === true;
}

type TlsEnding =
  | { readonly how: 'failed'; readonly cause: unknown }
  /** After a handshake that was good for us, without a word: some servers look at our certificate only then, and give no reason. */
  | { readonly how: 'hung up' };

/** How TLS ends; undefined where the server says something through it, or keeps silent. */
function tlsEnding(options: ConnectionOptions): Promise<TlsEnding | undefined> {
  return whenAnswered<TlsEnding>(
    () => connectTls({ ...options, ALPNProtocols: ['h2'] }),
    (socket, done) => {
      let isSecure = false;
      socket.once('secureConnect', () => {
        isSecure = true;
        socket.write(HTTP2_START);
      });
      socket.once('data', () => {
        done(undefined);
      });
      socket.once('error', (cause: NodeJS.ErrnoException) => {
        done(isSecure && cause.code === 'ECONNRESET' ? { how: 'hung up' } : { how: 'failed', cause });
      });
      for (const event of ['end', 'close'])
        socket.once(event, () => {
          done(isSecure ? { how: 'hung up' } : undefined);
        });
    },
  );
}
