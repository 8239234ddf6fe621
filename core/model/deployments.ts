import {
  deploymentMessageSchema,
  isInForce,
  type DeploymentMessage,
  type ModelMessage,
  type ServerStateMessage,
  type Stage,
  type StageMessage,
} from '../contracts/deployments';
import { FedloopError } from '../contracts/errors';
import { type VersionId } from '../contracts/ids';
import { ROW_LIMITS } from '../contracts/limits';
import { assertOwnSettings, DEFAULT_STREAM_SETTINGS, type StreamSettings } from '../contracts/settings';
import { TOPICS } from '../contracts/topics';
import { type IncomingRecord, type Kafka, type Producer } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { decodeModel, sha256Of } from './model-file';
import { type GlobalModel } from './types';
import { describeIssues, parseJson } from '../contracts/validation';

/** A version as `model-deployments` tells of it. */
export interface DeployedVersion {
  readonly version: VersionId;
  readonly message: ModelMessage;
  readonly model: GlobalModel;
  readonly stage: StageMessage;
}

/** The deployment log of one process: always the state as of the last message read. */
export interface Deployments {
  /** As they were logged when this process began to follow: a fleet's task does not change while it lives. */
  settings(): StreamSettings;
  /** Every version that has both a model and a stage, oldest first. */
  versions(): readonly DeployedVersion[];
  find(version: VersionId): DeployedVersion | undefined;
  champion(): DeployedVersion | undefined;
  inForce(): readonly DeployedVersion[];
  /** What the strategy remembers: of the round that is open, or of the last one decided. */
  serverState(kind: ServerStateMessage['kind']): ServerStateMessage | undefined;
  /** Resolves once everything that is in the log now has been applied. */
  sync(): Promise<void>;
  /** Call back after each change; returns the way to stop. */
  onChange(listener: () => void): () => void;
  /** Resolves with the version once it has that stage (or at once); rejects when `signal` aborts. */
  whenStaged(version: VersionId, stage: Stage, signal: AbortSignal): Promise<DeployedVersion>;
  close(): Promise<void>;
}

/** The log folded into a state: pure, so that it can be tested without a broker. */
export class DeploymentState {
  private readonly models = new Map<
    VersionId,
    { readonly message: ModelMessage; readonly model: GlobalModel }
  >();
  private readonly stages = new Map<VersionId, StageMessage>();
  private readonly serverStates = new Map<ServerStateMessage['kind'], ServerStateMessage>();
  private logged: StreamSettings | undefined;

  /**
   * @throws FedloopError `InvalidModel` when a message cannot be understood or its hash is wrong, `InvalidConfig` when it should be the
   *   deployment's settings.
   */
  apply(key: string, value: Buffer): void {
    const message = deploymentMessageSchema.safeParse(parseJson(value));
    if (!message.success)
      throw new FedloopError(
        key === SETTINGS_KEY ? 'InvalidConfig' : 'InvalidModel',
        `model-deployments holds a message that is not one: ${describeIssues(message.error, deploymentMessageSchema)}`,
      );
    switch (message.data.type) {
      case 'settings':
        this.logged = message.data.settings;
        return;
      case 'server-state':
        this.serverStates.set(message.data.kind, message.data);
        return;
      case 'stage':
        // Kept in the order of the log, so that the latest to be made champion is known.
        this.stages.delete(message.data.version);
        this.stages.set(message.data.version, message.data);
        return;
      case 'model': {
        const bytes = Buffer.from(message.data.onnx_base64, 'base64');
        if (sha256Of(bytes) !== message.data.sha256) {
          throw new FedloopError(
            'InvalidModel',
            `the bytes of ${message.data.version} do not have the hash they were deployed with`,
          );
        }
        this.models.set(message.data.version, { message: message.data, model: decodeModel(bytes) });
        return;
      }
    }
  }

  settings(): StreamSettings | undefined {
    return this.logged;
  }

  serverState(kind: ServerStateMessage['kind']): ServerStateMessage | undefined {
    return this.serverStates.get(kind);
  }

  /** The version that was made champion last, of those that still are. */
  champion(): DeployedVersion | undefined {
    const latest = [...this.stages.values()].findLast(
      ({ stage, version }) => stage === 'champion' && this.models.has(version),
    );
    return this.versions().find(({ version }) => version === latest?.version);
  }

  versions(): readonly DeployedVersion[] {
    return [...this.models.values()].flatMap(({ message, model }) => {
      const stage = this.stages.get(message.version);
      return stage === undefined ? [] : [{ version: message.version, message, model, stage }];
    });
  }
}

/**
 * Follow `model-deployments` from its beginning; resolves once everything logged so far is known.
 * @param own what this process has to find there: the limits of its release, and what it was configured with.
 * @throws FedloopError `InvalidConfig` when the deployment was started with other settings, or with some that cannot be read.
 */
export async function followDeployments(
  kafka: Kafka,
  log: Logger,
  own: Partial<StreamSettings> = { limits: ROW_LIMITS },
): Promise<Deployments> {
  const state = new DeploymentState();
  const listeners = new Set<() => void>();
  let unreadable: unknown;
  const tail = await kafka.tail({
    topic: TOPICS.deployments.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        const failure = applyOrWarn(state, record, log);
        if (record.key?.toString() === SETTINGS_KEY) unreadable = failure;
      }
      for (const listener of [...listeners]) listener();
    },
  });
  await tail.caughtUp;
  const settings = state.settings() ?? DEFAULT_STREAM_SETTINGS;
  try {
    // To go on with the defaults would make other rows than the deployment's, without a word.
    if (unreadable instanceof FedloopError) throw unreadable;
    assertOwnSettings(settings, own);
  } catch (cause) {
    await tail.close();
    throw cause;
  }
  const find = (version: VersionId): DeployedVersion | undefined =>
    state.versions().find((known) => known.version === version);
  const onChange = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    settings: () => settings,
    versions: () => state.versions(),
    find,
    champion: () => state.champion(),
    inForce: () => state.versions().filter(({ stage }) => isInForce(stage.stage)),
    serverState: (kind) => state.serverState(kind),
    sync: () => tail.sync(),
    onChange,
    whenStaged: (version, stage, signal) =>
      new Promise((resolve, reject) => {
        const check = (): boolean => {
          const known = find(version);
          if (known?.stage.stage !== stage) return false;
          stop();
          resolve(known);
          return true;
        };
        const stop = onChange(check);
        if (check()) return;
        signal.addEventListener('abort', () => {
          stop();
          reject(
            new FedloopError('KafkaUnavailable', `${version} did not become ${stage} in model-deployments`),
          );
        });
      }),
    close: () => tail.close(),
  };
}

const SETTINGS_KEY = 'settings';

/** Key of a message in `model-deployments`: the topic is compacted, so the latest of each key is what holds. */
export function deploymentKey(message: DeploymentMessage): string {
  switch (message.type) {
    case 'model':
      return `model/${message.version}`;
    case 'stage':
      return `stage/${message.version}`;
    case 'settings':
      return SETTINGS_KEY;
    case 'server-state':
      return `server-state/${message.kind}`;
  }
}

/** Append messages to `model-deployments`. */
export async function logDeployment(
  producer: Producer,
  messages: readonly DeploymentMessage[],
): Promise<void> {
  await producer.send(
    TOPICS.deployments.name,
    messages.map((message) => ({ key: deploymentKey(message), value: JSON.stringify(message) })),
  );
}

/**
 * One broken message must not stop a fleet: it is reported and passed over, and the versions before it stay in force.
 * @returns why it was passed over.
 */
function applyOrWarn(state: DeploymentState, record: IncomingRecord, log: Logger): unknown {
  if (record.value === null) return undefined;
  try {
    state.apply(record.key?.toString() ?? '', record.value);
    return undefined;
  } catch (cause) {
    log.error({ offset: record.offset, err: cause }, 'passed over a message of model-deployments');
    return cause;
  }
}
