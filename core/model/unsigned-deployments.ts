import { type DeploymentMessage } from '../contracts/deployments';
import { FedloopError } from '../contracts/errors';
import { type IncomingRecord } from '../platform/kafka';
import { readDeployment } from './accept-deployment';

/**
 * What has to be written again so that all of a deployment is signed: the latest message of each key in the order of the log, which says who
 * became champion last; nothing where all of them are signed by keys that are trusted.
 */
export function unsignedDeployments(records: readonly IncomingRecord[]): {
  readonly messages: readonly DeploymentMessage[];
  /** Latest messages that cannot be understood. */
  readonly passedOver: number;
} {
  const latest = new Map<string, IncomingRecord>();
  for (const record of records) {
    const key = record.key?.toString() ?? '';
    // What somebody else wrote over a signed message does not get our signature.
    if (latest.get(key)?.signature === 'valid' && record.signature !== 'valid') continue;
    latest.delete(key);
    if (record.value !== null) latest.set(key, record);
  }
  let passedOver = 0;
  const messages = [...latest].flatMap(([key, { value, offset }]) => {
    try {
      return value === null ? [] : [readDeployment({ key, value, offset })];
    } catch (cause) {
      if (!(cause instanceof FedloopError)) throw cause;
      passedOver += 1;
      return [];
    }
  });
  const allSigned = [...latest.values()].every(({ signature }) => signature === 'valid');
  return { messages: allSigned ? [] : messages, passedOver };
}
