import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { type Mechanism, type SASLOptions } from 'kafkajs';
import { type Environment } from '../../contracts/config';
import { FedloopError, messageOf } from '../../contracts/errors';
import { oauthLogin, tokenSource } from './oauth-login';

/** Who a process is at its Kafka brokers, and which brokers it trusts. Never logged. */
export interface KafkaSecurity {
  /** Undefined: without TLS. */
  readonly tls: ConnectionOptions | undefined;
  readonly sasl: SASLOptions | Mechanism | undefined;
  readonly mechanism: Environment['KAFKA_SASL_MECHANISM'];
}

/**
 * Check everything that can be checked without a broker.
 * @throws FedloopError `InvalidConfig` for half a set of variables, for files that are not what they should be, and for an own certificate
 * that is out of date. Secrets are not echoed.
 */
export async function kafkaSecurity(env: Environment): Promise<KafkaSecurity> {
  const sasl = saslOf(env);
  return { tls: await tlsOf(env), sasl, mechanism: env.KAFKA_SASL_MECHANISM };
}

type Name = keyof Environment & `KAFKA_${string}`;

/** @throws FedloopError when one of `names` is set and `needed` is not. */
function need(env: Environment, names: readonly Name[], needed: Name, value: string): void {
  const set = names.find((name) => env[name] !== undefined);
  if (set === undefined || (env[needed] !== undefined && env[needed] !== 'false')) return;
  throw new FedloopError('InvalidConfig', `${set} needs ${needed} as well`, {
    hint: `Set ${needed} to ${value}, or unset ${set}.`,
  });
}

async function tlsOf(env: Environment): Promise<ConnectionOptions | undefined> {
  need(env, ['KAFKA_CA', 'KAFKA_CERT', 'KAFKA_KEY'], 'KAFKA_TLS', 'true');
  need(env, ['KAFKA_CERT', 'KAFKA_KEY_PASSWORD'], 'KAFKA_KEY', 'the file with the key (PEM)');
  need(env, ['KAFKA_KEY'], 'KAFKA_CERT', 'the file with the certificate (PEM)');
  if (env.KAFKA_TLS === 'false') return undefined;
  const { KAFKA_CA: caFile, KAFKA_CERT: certFile, KAFKA_KEY: keyFile } = env;
  const ca = caFile === undefined ? {} : { ca: (await certificatesIn('KAFKA_CA', caFile)).pem };
  if (certFile === undefined || keyFile === undefined) return ca;
  const { pem: cert, first } = await certificatesIn('KAFKA_CERT', certFile);
  refuseOutOfDate(first, certFile);
  const key = await contentOf('KAFKA_KEY', keyFile);
  const passphrase = env.KAFKA_KEY_PASSWORD;
  const own = { cert, key, ...(passphrase === undefined ? {} : { passphrase }) };
  try {
    createSecureContext(own);
  } catch (cause) {
    const message = `the key in ${keyFile} cannot be used with the certificate in ${certFile}: ${messageOf(cause)}`;
    const hint =
      'Check that KAFKA_KEY names the key of the certificate that KAFKA_CERT names, and that KAFKA_KEY_PASSWORD opens it.';
    throw new FedloopError('InvalidConfig', message, { hint, cause });
  }
  return { ...ca, ...own };
}

async function contentOf(variable: Name, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    const message = `${variable} names ${file}, which cannot be read: ${messageOf(cause)}`;
    throw new FedloopError('InvalidConfig', message, { cause });
  }
}

async function certificatesIn(
  variable: Name,
  file: string,
): Promise<{ readonly pem: Buffer; readonly first: X509Certificate }> {
  const pem = await contentOf(variable, file);
  try {
    // TLS itself takes a text without certificates, and then trusts nobody.
    return { pem, first: new X509Certificate(pem) };
  } catch (cause) {
    const message = `${variable} names ${file}, which gives no certificates: ${messageOf(cause)}`;
    throw new FedloopError('InvalidConfig', message, { hint: 'Name a file of certificates (PEM).', cause });
  }
}

function refuseOutOfDate({ validFrom, validTo }: X509Certificate, file: string): void {
  const now = Date.now();
  if (Date.parse(validFrom) <= now && now <= Date.parse(validTo)) return;
  throw new FedloopError(
    'InvalidConfig',
    `the certificate in ${file} is out of date: it holds from ${validFrom} to ${validTo}`,
    { hint: 'Renew it, and check the clock of this machine.' },
  );
}

function saslOf(env: Environment): SASLOptions | Mechanism | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism } = env;
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password } = env;
  const ofUsers: readonly Name[] = ['KAFKA_SASL_USERNAME', 'KAFKA_SASL_PASSWORD'];
  const ofTokens: readonly Name[] = ['KAFKA_OAUTH_TOKEN_FILE', 'KAFKA_OAUTH_TOKEN_URL'];
  need(env, [...ofUsers, ...ofTokens], 'KAFKA_SASL_MECHANISM', 'the mechanism that the brokers offer');
  if (mechanism === undefined) return undefined;
  if (mechanism === 'oauthbearer') return oauthLogin(tokenSource(env));
  if (username === undefined || password === undefined) {
    throw new FedloopError(
      'InvalidConfig',
      `KAFKA_SASL_MECHANISM ${mechanism} needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD as well`,
    );
  }
  const login: SASLOptions = { mechanism, username, password };
  return login;
}
