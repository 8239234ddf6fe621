import { type IncomingMessage, type ServerResponse } from 'node:http';
import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { parseOrThrow } from '../../contracts/validation';
import { type RouteHandler } from '../../platform/http';
import { MAX_SQL_BYTES, MAX_SQL_ROWS } from '../limits';
import { refused } from './policy';
import { type Readers } from './readers';
import { isAuthorized } from './token';

const requestSchema = z.strictObject({
  sql: z.string().min(1).max(MAX_SQL_BYTES),
  maxRows: z.int().min(1).max(MAX_SQL_ROWS).default(MAX_SQL_ROWS),
});

/**
 * `POST /sql` with JSON `{sql, maxRows?}` and `Authorization: Bearer <token>` → `{columns, rows, truncated}`; 401 without the token, 400 with
 * `{error}` for what is not answered. A client that goes away ends its query.
 * @param token undefined: whoever reaches the port may ask.
 */
export function sqlRoute(readers: Readers, token: string | undefined): RouteHandler {
  return async (request, response) => {
    const reply = (status: number, body: string | Buffer): void => {
      if (!response.destroyed) response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    };
    const fault = (status: number, error: string): void => {
      reply(status, JSON.stringify({ error }));
    };
    if (!isAuthorized(request.headers.authorization, token)) {
      fault(401, 'queries need the token of the analytics worker');
      return;
    }
    if (request.method !== 'POST') {
      fault(405, 'send queries with POST');
      return;
    }
    const gone = goneSignal(response);
    try {
      const { sql, maxRows } = parseOrThrow(requestSchema, await readJson(request), 'the query');
      reply(200, await readers.ask({ sql, maxRows, signal: gone }));
    } catch (cause) {
      const status = cause instanceof FedloopError && cause.code === 'InvalidInput' ? 400 : 500;
      fault(status, messageOf(cause));
    }
  };
}

/** Aborted when the client closes the connection before it has its reply. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort();
  });
  return gone.signal;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  // A web page can send a form or plain text to loopback without permission; JSON it cannot.
  if (request.headers['content-type']?.startsWith('application/json') !== true)
    throw refused('the query must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.length;
    if (size > 2 * MAX_SQL_BYTES) throw refused('the query is too long');
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw refused('the query is not JSON', cause);
  }
}
