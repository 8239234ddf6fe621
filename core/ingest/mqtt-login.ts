import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type Environment } from '../contracts/config';
import { FedloopError, messageOf } from '../contracts/errors';

/** Who an ingest worker is at its MQTT server, and whom it trusts there. Never logged. */
export interface MqttLogin {
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** Certificates (PEM) that a server's own must be signed by; left out, those that Node knows. */
  readonly ca: Buffer | undefined;
}

type LoginVariables = Pick<
  Environment,
  'FEDLOOP_MQTT_USERNAME' | 'FEDLOOP_MQTT_PASSWORD' | 'FEDLOOP_MQTT_CA'
>;

/**
 * @throws FedloopError `InvalidConfig` for a password without a user, and for a file of certificates that has none. Values are not
 * echoed.
 */
export async function mqttLogin(env: LoginVariables): Promise<MqttLogin> {
  const { FEDLOOP_MQTT_USERNAME: username, FEDLOOP_MQTT_PASSWORD: password, FEDLOOP_MQTT_CA: file } = env;
  // Version 3.1.1 knows no password without a user.
  if (password !== undefined && username === undefined) {
    throw new FedloopError('InvalidConfig', 'FEDLOOP_MQTT_PASSWORD needs FEDLOOP_MQTT_USERNAME as well');
  }
  return { username, password, ca: file === undefined ? undefined : await certificatesIn(file) };
}

async function certificatesIn(file: string): Promise<Buffer> {
  try {
    const pem = await readFile(file);
    // TLS itself takes a text without certificates, and then trusts nobody.
    new X509Certificate(pem);
    return pem;
  } catch (cause) {
    const message = `FEDLOOP_MQTT_CA names ${file}, which gives no certificates: ${messageOf(cause)}`;
    const hint =
      'Name a file with the certificate (PEM) of the authority that signed that of the MQTT server.';
    throw new FedloopError('InvalidConfig', message, { hint, cause });
  }
}
