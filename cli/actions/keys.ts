import { FedloopError } from '../../core/contracts/errors';
import { TOPICS } from '../../core/contracts/topics';
import { unsignedDeployments } from '../../core/model/unsigned-deployments';
import { logDeployment } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type IncomingRecord, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { counted } from '../shared/format';
import { dataPlaneEnvironment } from '../system/deployment';
import { type Session } from '../system/session';

export interface SignOptions {
  readonly dryRun?: true;
  readonly json?: true;
}

/**
 * `fedloop keys sign`: write the deployment's latest messages again, with a signature.
 * @throws FedloopError `InvalidConfig` without a key to sign with.
 */
export async function signDeployments(session: Session, { dryRun, json }: SignOptions): Promise<void> {
  const env = readEnvironment(await dataPlaneEnvironment(session));
  if (env.FEDLOOP_SIGNING_KEY === undefined)
    throw new FedloopError('InvalidConfig', 'there is no key to sign with', {
      hint: 'Set FEDLOOP_SIGNING_KEY to the file with the private key; `fedloop keys --help` says how to make one.',
    });
  const kafka = await connectKafka(env, 'fedloop-keys', silentLogger());
  try {
    const { messages, passedOver } = unsignedDeployments(await everyRecord(kafka));
    if (dryRun !== true && messages.length > 0) {
      const producer = await kafka.producer();
      await logDeployment(producer, messages);
      await producer.disconnect();
    }
    const report = { dryRun: dryRun === true, signed: messages.length, passedOver };
    session.out(json === true ? `${JSON.stringify(report)}\n` : textOf(report));
  } finally {
    await kafka.disconnect();
  }
}

async function everyRecord(kafka: Kafka): Promise<readonly IncomingRecord[]> {
  const found: IncomingRecord[] = [];
  const tail = await kafka.tail({
    topic: TOPICS.deployments.name,
    from: 'start',
    onRecords: (records) => {
      found.push(...records);
    },
  });
  await tail.caughtUp;
  await tail.close();
  return found;
}

function textOf(report: {
  readonly dryRun: boolean;
  readonly signed: number;
  readonly passedOver: number;
}): string {
  const { dryRun, signed, passedOver } = report;
  const damaged =
    passedOver === 0 ? '' : ` ${counted(passedOver, 'message')} cannot be understood and stays as it is.`;
  if (signed === 0) return `Everything that can be understood is signed.${damaged}\n`;
  return `${dryRun ? 'Would sign' : 'Signed'} ${counted(signed, 'message')}.${damaged}\n`;
}
