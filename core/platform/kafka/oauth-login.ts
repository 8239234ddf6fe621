import { readFile } from 'node:fs/promises';
import { type Mechanism } from 'kafkajs';
import { z } from 'zod';
import { type Environment } from '../../contracts/config';
import { FedloopError, messageOf } from '../../contracts/errors';

/** A token for the next login. */
type TokenSource = () => Promise<string>;

/** Within the five seconds in which a start should say what is wrong. */
const TOKEN_TIMEOUT_MS = 4_000;
/** A token that is used once more must still hold when it arrives. */
const TOKEN_MARGIN_MS = 30_000;
/** RFC 6750, 2.1: what a token may consist of. Anything else could not be told from the rest of the message. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;

/** RFC 6749, 5.1. */
const tokenResponse = z.object({
  access_token: z.string().regex(TOKEN),
  expires_in: z.coerce.number().positive().optional(),
});

/** A token could not be had. */
export class NoToken extends Error {
  override readonly name = 'NoToken';

  constructor(
    message: string,
    /** Whether another attempt may succeed although nobody changes anything. */
    readonly passes = false,
  ) {
    super(message);
  }
}

/** The broker does not accept the token. */
export class TokenRefused extends Error {
  override readonly name = 'TokenRefused';
}

/** @throws FedloopError `InvalidConfig` without a whole set of variables, or with two. */
export function tokenSource(env: Environment): TokenSource {
  const { KAFKA_OAUTH_TOKEN_FILE: file, KAFKA_OAUTH_TOKEN_URL: url } = env;
  if (file !== undefined && url !== undefined)
    throw new FedloopError(
      'InvalidConfig',
      'both KAFKA_OAUTH_TOKEN_FILE and KAFKA_OAUTH_TOKEN_URL are set: unset one of them',
    );
  if (file !== undefined) return () => tokenIn(file);
  const { KAFKA_OAUTH_CLIENT_ID: id, KAFKA_OAUTH_CLIENT_SECRET: secret } = env;
  if (url === undefined || id === undefined || secret === undefined) {
    throw new FedloopError(
      'InvalidConfig',
      'KAFKA_SASL_MECHANISM oauthbearer needs KAFKA_OAUTH_TOKEN_FILE, or KAFKA_OAUTH_TOKEN_URL with KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET as well',
    );
  }
  return grantedTokens({ url, id, secret, scope: env.KAFKA_OAUTH_SCOPE });
}

async function tokenIn(file: string): Promise<string> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (cause) {
    throw new NoToken(`KAFKA_OAUTH_TOKEN_FILE names ${file}, which cannot be read: ${messageOf(cause)}`);
  }
  if (!TOKEN.test(text)) throw new NoToken(`KAFKA_OAUTH_TOKEN_FILE names ${file}, which holds no token`);
  return text;
}

interface Client {
  readonly url: string;
  readonly id: string;
  readonly secret: string;
  readonly scope: string | undefined;
}

/** Tokens by client credentials (RFC 6749, 4.4), each used until shortly before it ends. */
function grantedTokens(client: Client): TokenSource {
  let token = '';
  let untilMillis = 0;
  return async () => {
    if (performance.now() < untilMillis) return token;
    const granted = await grant(client);
    token = granted.access_token;
    untilMillis = performance.now() + (granted.expires_in ?? 0) * 1_000 - TOKEN_MARGIN_MS;
    return token;
  };
}

async function grant({ url, id, secret, scope }: Client): Promise<z.infer<typeof tokenResponse>> {
  const basic = Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64');
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope === undefined ? {} : { scope }),
  });
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
    body,
    // Credentials are for this address alone.
    redirect: 'error',
    signal: AbortSignal.timeout(TOKEN_TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new NoToken(`the server of KAFKA_OAUTH_TOKEN_URL does not answer: ${reasonOf(cause)}`, true);
  });
  if (!response.ok) {
    const isBusy = response.status >= 500;
    throw new NoToken(
      `the server of KAFKA_OAUTH_TOKEN_URL gives no token (status ${response.status}): check KAFKA_OAUTH_CLIENT_ID and KAFKA_OAUTH_CLIENT_SECRET`,
      isBusy,
    );
  }
  const granted = tokenResponse.safeParse(await response.json().catch(() => undefined));
  if (!granted.success) throw new NoToken('the server of KAFKA_OAUTH_TOKEN_URL answers without a token');
  return granted.data;
}

/** `fetch` says only that it failed; its cause has the reason. */
function reasonOf(cause: unknown): string {
  return messageOf(cause instanceof Error && cause.cause !== undefined ? cause.cause : cause);
}

/**
 * OAUTHBEARER (RFC 7628). The library's own takes a refused token for an accepted one: the broker answers with a text, and hangs up at the
 * next request.
 */
export function oauthLogin(source: TokenSource): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ saslAuthenticate }) => ({
      authenticate: async () => {
        const token = await source();
        const message = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);
        await saslAuthenticate({
          request: { encode: () => withLength(message) },
          response: { decode: (answer) => answer, parse: refuseText },
        });
      },
    }),
  };
}

function withLength(message: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(message.length);
  return Buffer.concat([length, message]);
}

/** RFC 7628, 3.2.2: a broker that accepts a token answers with nothing. */
function refuseText(answer: Buffer): void {
  if (answer.length > 4) throw new TokenRefused('the broker does not accept the token');
}
