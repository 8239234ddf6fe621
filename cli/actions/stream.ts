import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import { checkpointKeys, type Decision, type ResetRequest } from '../../core/contracts/checkpoints';
import { FedloopError } from '../../core/contracts/errors';
import { type Task } from '../../core/contracts/task';
import { isoOfMicros, type Micros, windowStartOf } from '../../core/contracts/time';
import { TOPICS } from '../../core/contracts/topics';
import { followDeployments } from '../../core/model/deployments';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { readDecisions } from '../../core/stream/replay/event-log';
import { readLivePartition } from '../history/live';
import { LIMITS } from '../shared/limits';
import { poll } from '../shared/wait';
import { dataPlaneEnvironment } from '../system/deployment';
import { type Session } from '../system/session';

export interface ResetOptions {
  readonly to: Micros;
  readonly wait: number;
  readonly yes?: true;
  readonly json?: true;
}

/**
 * `fedloop stream reset-watermark`: ask the owner of a partition to set the watermark back, and wait for its decision.
 * @throws FedloopError `InvalidInput` for a time that cannot be gone back to, or when the owner refuses.
 */
export async function resetWatermark(
  session: Session,
  partition: number,
  options: ResetOptions,
): Promise<void> {
  const env = readEnvironment(await dataPlaneEnvironment(session));
  const kafka = await connectKafka(env, 'fedloop-stream', silentLogger());
  try {
    const closedUntil = await assertPossible(kafka, partition, options.to);
    await confirm(session, partition, options);
    const request: ResetRequest = {
      type: 'reset-request',
      partition,
      request: randomUUID(),
      to: options.to,
      closed_until: closedUntil,
    };
    await ask(kafka, request);
    const decision = await poll(() => decisionOn(kafka, request), {
      everyMillis: LIMITS.progressPollMillis,
      timeoutMillis: options.wait,
      signal: session.signal,
    });
    report(session, request, decision, options.json === true);
  } finally {
    await kafka.disconnect();
  }
}

/** @returns the end of the last window that the partition has closed; null = none. */
async function assertPossible(kafka: Kafka, partition: number, to: Micros): Promise<Micros | null> {
  const { length: partitions } = await kafka.offsets(TOPICS.checkpoints.name);
  if (partition >= partitions) {
    throw new FedloopError('InvalidInput', `there is no partition ${partition}`, {
      hint: `The stream has the partitions 0 to ${partitions - 1}.`,
    });
  }
  const task = await taskOf(kafka);
  const { closedUntil, rowsUntil } = await readLivePartition(kafka, task, partition);
  if (windowStartOf(to, task.windowMicros) < rowsUntil) {
    throw new FedloopError(
      'InvalidInput',
      `windows of partition ${partition} up to ${isoOfMicros(rowsUntil)} have rows`,
      {
        hint: 'Windows with rows are never written again: give a time that is not before that.',
      },
    );
  }
  return Number.isFinite(closedUntil) ? closedUntil : null;
}

async function taskOf(kafka: Kafka): Promise<Task> {
  const deployments = await followDeployments(kafka, silentLogger());
  const { task } = deployments.settings();
  await deployments.close();
  return task;
}

async function confirm(session: Session, partition: number, { to, yes }: ResetOptions): Promise<void> {
  if (yes === true) return;
  if (!process.stdin.isTTY) {
    throw new FedloopError('InvalidInput', 'setting a watermark back cannot be undone', {
      hint: 'Confirm it with --yes.',
    });
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const question = `Set the watermark of partition ${partition} back to ${isoOfMicros(to)}? It cannot be undone. [y/N] `;
    const answer = await terminal.question(question, { signal: session.signal });
    if (!/^y(?:es)?$/i.test(answer.trim())) throw new FedloopError('Interrupted', 'nothing was changed');
  } finally {
    terminal.close();
  }
}

async function ask(kafka: Kafka, request: ResetRequest): Promise<void> {
  const { partition } = request;
  const producer = await kafka.producer();
  try {
    const key = checkpointKeys.resetRequest(partition, request.request);
    await producer.send(TOPICS.checkpoints.name, [{ key, partition, value: JSON.stringify(request) }]);
  } finally {
    await producer.disconnect();
  }
}

type ResetDecision = Extract<Decision, { readonly type: 'watermark' }>;

async function decisionOn(
  kafka: Kafka,
  { partition, request }: ResetRequest,
): Promise<ResetDecision | undefined> {
  const { decisions } = (await readDecisions(kafka)).of(partition);
  return decisions
    .map(({ decision }) => decision)
    .find(
      (decision): decision is ResetDecision => decision.type === 'watermark' && decision.request === request,
    );
}

function report(
  session: Session,
  { partition, to, request }: ResetRequest,
  decision: ResetDecision | undefined,
  isJson: boolean,
): void {
  if (decision?.to === null) {
    throw new FedloopError(
      'InvalidInput',
      `partition ${partition} has moved on meanwhile, or has seen nothing after ${isoOfMicros(to)}: nothing was changed`,
      {
        hint: 'Look at `fedloop status`, and ask again.',
      },
    );
  }
  const offset = decision?.offset ?? null;
  if (isJson) session.out(`${JSON.stringify({ partition, to: isoOfMicros(to), request, offset })}\n`);
  else
    session.out(
      offset === null
        ? `The request is logged; the owner of partition ${partition} obeys it once it runs.\n`
        : `From offset ${offset} on, the largest event time of partition ${partition} is ${isoOfMicros(to)}.\n`,
    );
}
