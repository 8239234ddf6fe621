import { existsSync } from 'node:fs';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { FedloopError, messageOf } from '../core/contracts/errors';

type ConnectConfig = ReturnType<typeof loadClientConnectConfig>;

/**
 * Where Temporal is and how to connect to it, from Temporal's own environment variables and profiles.
 * @throws FedloopError `InvalidConfig` for a profile or a file that is not there, or cannot be understood.
 */
export function temporalConfig(env: NodeJS.ProcessEnv = process.env): ConnectConfig {
  const set = Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const file = set['TEMPORAL_CONFIG_FILE'] ?? '';
  // The library takes a missing file for an empty one, and would look for a server on this machine.
  if (file !== '' && !existsSync(file))
    throw new FedloopError('InvalidConfig', `TEMPORAL_CONFIG_FILE: there is no file ${file}`);
  try {
    return loadClientConnectConfig({ overrideEnvVars: set });
  } catch (cause) {
    throw new FedloopError('InvalidConfig', `Temporal’s configuration can’t be read: ${messageOf(cause)}`, {
      hint: 'Check TEMPORAL_PROFILE and TEMPORAL_CONFIG_FILE.',
      cause,
    });
  }
}

/** Why a server could not be reached, without the wrappings of the SDK's native half. */
export function reasonOf(cause: unknown): string {
  const text = messageOf(cause);
  return /message: "([^"]+)"/.exec(text)?.[1] ?? text;
}
