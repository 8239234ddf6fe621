import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Environment } from '../contracts/config';
import { FedloopError, messageOf } from '../contracts/errors';

/** How a message of a signed topic stands to the keys that this process trusts. */
export type SignatureVerdict = 'valid' | 'missing' | 'wrong';

/** What is signed of a message: where it stands, and all that it says. */
export interface SignedMessage {
  readonly key: string | null;
  readonly value: Buffer | string;
}

/** The keys of one process. Private halves never leave the object. */
export interface DeploymentKeys {
  /**
   * @returns the signature in base64; undefined where this process has no key and trusts everybody.
   * @throws FedloopError `InvalidConfig` where it has no key, but takes in only what is signed.
   */
  sign(message: SignedMessage): string | undefined;
  /** @returns undefined where this process trusts everybody. */
  judge(message: SignedMessage, signature: string | undefined): SignatureVerdict | undefined;
}

/** With one of each site and a few that are on their way out, a fleet has a handful. */
const MAX_TRUSTED_KEYS = 32;
const ALGORITHM = 'ed25519';
/** Changes when what is signed changes. */
const STATEMENT = 'fedloop-deployment-1';
const PEM_BLOCK = /-----BEGIN ([A-Z ]+)-----[^-]+-----END \1-----/g;

/**
 * The keys that `FEDLOOP_SIGNING_KEY` and `FEDLOOP_TRUSTED_KEYS` name.
 * @throws FedloopError `InvalidConfig` for files that hold no such keys, and for a key that this process itself would not trust.
 */
export async function deploymentKeys(
  env: Pick<Environment, 'FEDLOOP_FLEET' | 'FEDLOOP_SIGNING_KEY' | 'FEDLOOP_TRUSTED_KEYS'>,
): Promise<DeploymentKeys> {
  const { FEDLOOP_FLEET: fleet, FEDLOOP_SIGNING_KEY: own, FEDLOOP_TRUSTED_KEYS: files } = env;
  const signing = own === undefined ? undefined : await signingKeyIn(own);
  const trusted = files === undefined ? undefined : (await Promise.all(files.map(trustedKeysIn))).flat();
  if (trusted !== undefined && trusted.length > MAX_TRUSTED_KEYS)
    throw invalid(
      `FEDLOOP_TRUSTED_KEYS names ${trusted.length} keys, and at most ${MAX_TRUSTED_KEYS} are tried`,
    );
  if (signing !== undefined && trusted?.some((key) => key.equals(createPublicKey(signing))) === false)
    throw invalid(
      'the key of FEDLOOP_SIGNING_KEY is none that FEDLOOP_TRUSTED_KEYS trusts',
      'Add the file with its public half to FEDLOOP_TRUSTED_KEYS, here and wherever models are taken in.',
    );
  return {
    sign(message) {
      if (signing !== undefined) return sign(null, statement(fleet, message), signing).toString('base64');
      if (trusted === undefined) return undefined;
      throw invalid(
        'this process has no key to sign what it deploys, and nobody would take it in',
        'Set FEDLOOP_SIGNING_KEY to the file with the private key, beside FEDLOOP_TRUSTED_KEYS.',
      );
    },
    judge(message, signature) {
      if (trusted === undefined) return undefined;
      if (signature === undefined) return 'missing';
      const bytes = Buffer.from(signature, 'base64');
      const stated = statement(fleet, message);
      return trusted.some((key) => verify(null, stated, key, bytes)) ? 'valid' : 'wrong';
    },
  };
}

/**
 * The fleet, the message's key (its type and version) and the hash of all its bytes, a model's included: none of them can be changed, or stand for
 * another fleet, version or stage, without another signature.
 */
function statement(fleet: string, { key, value }: SignedMessage): Buffer {
  const hash = createHash('sha256').update(value).digest('hex');
  return Buffer.from(JSON.stringify([STATEMENT, fleet, key, hash]));
}

async function signingKeyIn(file: string): Promise<KeyObject> {
  const pem = await contentOf('FEDLOOP_SIGNING_KEY', file);
  try {
    return ofAlgorithm(createPrivateKey(pem));
  } catch (cause) {
    throw noKey('FEDLOOP_SIGNING_KEY', file, 'private', cause);
  }
}

async function trustedKeysIn(file: string): Promise<readonly KeyObject[]> {
  const pem = await contentOf('FEDLOOP_TRUSTED_KEYS', file);
  try {
    const blocks = [...pem.toString('latin1').matchAll(PEM_BLOCK)];
    // A public key can be made of a private one, which has no place where models are only taken in.
    if (blocks.length === 0 || blocks.some(([, label]) => label !== 'PUBLIC KEY'))
      throw new Error('it holds something else than public keys');
    return blocks.map(([block]) => ofAlgorithm(createPublicKey(block)));
  } catch (cause) {
    throw noKey('FEDLOOP_TRUSTED_KEYS', file, 'public', cause);
  }
}

function ofAlgorithm(key: KeyObject): KeyObject {
  if (key.asymmetricKeyType !== ALGORITHM)
    throw new Error(`its algorithm is ${String(key.asymmetricKeyType)}`);
  return key;
}

async function contentOf(variable: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    // Somebody may have set the variable to the key itself, which must not be told.
    const named = /[\r\n]|-----/.test(file) ? 'no file, but a text' : file;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it cannot be read';
    throw invalid(`${variable} names ${named}: ${code}`, 'Name the file that holds the key (PEM).');
  }
}

function noKey(variable: string, file: string, half: 'private' | 'public', cause: unknown): FedloopError {
  return invalid(
    `${variable} names ${file}, which holds no ${half} Ed25519 key: ${messageOf(cause)}`,
    'Make keys with `openssl genpkey -algorithm ed25519 -out signing.pem` and `openssl pkey -in signing.pem -pubout -out trusted.pem`.',
  );
}

function invalid(message: string, hint?: string): FedloopError {
  return new FedloopError('InvalidConfig', message, hint === undefined ? {} : { hint });
}
