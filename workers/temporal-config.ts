import { existsSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { FedloopError, messageOf } from '../core/contracts/errors';

type ConnectConfig = ReturnType<typeof loadClientConnectConfig>;

/**
 * Where Temporal is and how to connect to it, from Temporal's own environment variables and profiles.
 * @throws FedloopError `InvalidConfig` for a profile or a file that is not there, or cannot be understood.
 */
export function temporalConfig(env: NodeJS.ProcessEnv = process.env): ConnectConfig {
  // An empty variable means "not set": shells and compose files write them so.
  const set = Object.fromEntries(
    Object.entries(env).flatMap(([name, value = '']) => (value === '' ? [] : [[name, value]])),
  );
  const file = set['TEMPORAL_CONFIG_FILE'] ?? '';
  // The library takes a missing file for an empty one, and would look for a server on this machine.
  if (file !== '' && !existsSync(file))
    throw new FedloopError('InvalidConfig', `TEMPORAL_CONFIG_FILE: there is no file ${file}`);
  refuseHalfACertificate(set);
  try {
    return loadClientConnectConfig({ overrideEnvVars: set });
  } catch (cause) {
    throw new FedloopError('InvalidConfig', `Temporal’s configuration can’t be read: ${messageOf(cause)}`, {
      hint: 'Check TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.',
      cause,
    });
  }
}

/** The library leaves half a pair out without a word. */
function refuseHalfACertificate(set: Readonly<Record<string, string>>): void {
  const isSet = (half: string): boolean =>
    ['PATH', 'DATA'].some((kind) => (set[`TEMPORAL_TLS_CLIENT_${half}_${kind}`] ?? '') !== '');
  const [certificate, key] = [isSet('CERT'), isSet('KEY')];
  if (certificate === key) return;
  throw new FedloopError(
    'InvalidConfig',
    certificate
      ? 'TEMPORAL_TLS_CLIENT_CERT_PATH needs TEMPORAL_TLS_CLIENT_KEY_PATH as well'
      : 'TEMPORAL_TLS_CLIENT_KEY_PATH needs TEMPORAL_TLS_CLIENT_CERT_PATH as well',
  );
}

/** Why a server could not be reached, without the wrappings of the SDK's native half. */
export function reasonOf(cause: unknown): string {
  const text = messageOf(cause);
  return /message: "([^"]+)"/.exec(text)?.[1] ?? text;
}
