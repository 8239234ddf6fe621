import { type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** Shorter than a start may take that says what is wrong; a broker at hand answers in milliseconds. */
const PROBE_TIMEOUT_MS = 2_000;

/** Whether a listener speaks TLS, whatever it thinks of us. */
export async function speaksTls(place: Place): Promise<boolean> {
  // Nothing is sent: whether its certificate can be trusted does not matter here.
  const options: ConnectionOptions = { ...place, rejectUnauthorized: false };
  const spoke = await whenAnswered<true>(
    () => connectTls(options),
    (socket, done) => {
      socket.once('secureConnect', () => {
        done(true);
      });
      // It speaks TLS, if only to refuse us.
      socket.once('error', (cause: NodeJS.ErrnoException) => {
        done(cause.code?.includes('ALERT') === true ? true : undefined);
      });
    },
  );
  return spoke === true;
}

/** Open a connection, and close it with the first answer, at its end, or when time is up. */
export function whenAnswered<Answer>(
  open: () => Socket,
  ask: (socket: Socket, done: (answer: Answer | undefined) => void) => void,
): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const socket = open();
    const done = (answer: Answer | undefined): void => {
      resolve(answer);
      socket.destroy();
    };
    ask(socket, done);
    socket.setTimeout(PROBE_TIMEOUT_MS);
    for (const event of ['timeout', 'error', 'end', 'close'])
      socket.once(event, () => {
        done(undefined);
      });
  });
}
