import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fleetNameSchema } from '../../core/contracts/ids';
import { deploymentKeys, type DeploymentKeys } from '../../core/platform/deployment-keys';

/** A pair of keys in files of a folder of its own. */
export interface KeyFiles {
  readonly folder: string;
  readonly signing: string;
  readonly trusted: string;
  readonly privatePem: string;
}

export function makeKeyFiles(): KeyFiles {
  const folder = mkdtempSync(join(tmpdir(), 'fedloop-keys-'));
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const files = {
    folder,
    signing: join(folder, 'signing.pem'),
    trusted: join(folder, 'trusted.pem'),
    privatePem,
  };
  writeFileSync(files.signing, privatePem, { mode: 0o600 });
  writeFileSync(files.trusted, publicKey.export({ type: 'spki', format: 'pem' }).toString());
  return files;
}

/** The keys of a process of a fleet. */
export function keysOf(about: {
  readonly signing?: string;
  readonly trusted?: readonly string[];
  readonly fleet?: string;
}): Promise<DeploymentKeys> {
  return deploymentKeys({
    FEDLOOP_FLEET: fleetNameSchema.parse(about.fleet ?? 'fedloop'),
    FEDLOOP_SIGNING_KEY: about.signing,
    FEDLOOP_TRUSTED_KEYS: about.trusted === undefined ? undefined : [...about.trusted],
  });
}
