import {
  deploymentKey,
  isInForce,
  SETTINGS_KEY,
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
import { type PrivacyBooking } from '../contracts/privacy';
import { eventTopic } from '../contracts/source';
import { featureCount } from '../contracts/task';
import { TOPICS } from '../contracts/topics';
import { type IncomingRecord, type Kafka, type Producer, type Tail } from '../platform/kafka';
import { type Logger } from '../platform/log';
import { assertNotOlder, assertSameWeights, orderOf, withOneChampion } from './deployment-order';
import { acceptModel, fitsTask, readDeployment } from './accept-deployment';
import { deploymentsReplaced, requireNewFleet, settingsUnreadable } from './lost-deployments';
import { type GlobalModel } from './types';

/** A version in `model-deployments`, with its latest stage. */
export interface DeployedVersion {
  readonly version: VersionId;
  readonly message: ModelMessage;
  readonly model: GlobalModel;
  readonly stage: StageMessage;
}

/**
 * Follow `model-deployments` from its beginning; resolves once everything logged so far is known.
 * @param own what this process has to find there: the limits of its release, and what it was configured with.
 * @throws FedloopError `InvalidConfig` when the deployment was started with other settings, or with some that cannot be read; `InvalidData` when the
 * fleet has run and its settings are gone.
 */
export async function followDeployments(
  kafka: Kafka,
  log: Logger,
  own: Partial<StreamSettings> = { limits: ROW_LIMITS },
): Promise<Deployments> {
  const deployments = new Deployments(kafka, log);
  await deployments.catchUp(own);
  return deployments;
}

/** The deployment log of one process: always the state as of the last message read. */
export class Deployments {
  private readonly models = new Map<VersionId, Pick<DeployedVersion, 'message' | 'model'>>();
  private readonly stages = new Map<VersionId, StageMessage>();
  /** The latest that made a version champion, whatever became of it since. */
  latestPromotion: StageMessage | undefined;
  private readonly bookings = new Map<string, PrivacyBooking>();
  private readonly serverStates = new Map<ServerStateMessage['kind'], ServerStateMessage>();
  /** Models that do not fit the task and were reported, with their hashes. */
  private readonly misfits = new Map<VersionId, string>();
  private readonly listeners = new Set<() => void>();
  private readonly tail: Promise<Tail>;
  private logged: StreamSettings | undefined;
  private loggedAtStart = DEFAULT_STREAM_SETTINGS;
  private refusals = 0;
  /** Why the latest settings were not taken in. */
  private settingsFault: { readonly cause: unknown; readonly isRefused: boolean } | undefined;

  constructor(
    private readonly kafka: Kafka,
    private readonly log: Logger,
  ) {
    this.tail = kafka.tail({
      topic: TOPICS.deployments.name,
      from: 'start',
      whenReplaced: deploymentsReplaced,
      onRecords: (records) => {
        for (const record of records) this.applyOrWarn(record);
        for (const listener of [...this.listeners]) listener();
      },
    });
  }

  /** Resolves once everything logged so far is known; throws as `followDeployments` does. */
  async catchUp(own: Partial<StreamSettings>): Promise<void> {
    const tail = await this.tail;
    await tail.caughtUp;
    this.loggedAtStart = this.logged ?? DEFAULT_STREAM_SETTINGS;
    try {
      // With the defaults instead, this process would make other rows than the deployment's, without a word. Who comes to agree on settings
      // may log them anew, where somebody has written some who may not.
      const { cause, isRefused } = this.settingsFault ?? {};
      const agrees = Object.keys(own).length === 0;
      if (cause instanceof FedloopError && !(isRefused === true && agrees)) throw settingsUnreadable(cause);
      if (this.logged === undefined) await requireNewFleet(this.kafka);
      assertOwnSettings(this.loggedAtStart, own);
    } catch (cause) {
      await tail.close();
      throw cause;
    }
  }

  /** As they were logged when this process began to follow: a fleet's task does not change while it lives. */
  settings(): StreamSettings {
    return this.loggedAtStart;
  }

  /** Settings that the deployment has logged by now; undefined for one that is new. */
  loggedSettings(): StreamSettings | undefined {
    return this.logged;
  }

  /** The topic of canonical events, as Kafka's interface takes it. */
  get eventTopic(): string {
    return eventTopic(this.loggedAtStart.source);
  }

  /** Messages that were passed over since this process began to follow. */
  get refused(): number {
    return this.refusals;
  }

  /** Every version that has both a model and a stage, oldest first. One of them at most is champion. */
  versions(): readonly DeployedVersion[] {
    const serving = this.serving();
    return [...this.models].flatMap(([version, known]) => {
      const logged = this.stages.get(version);
      if (logged === undefined || !this.isUsable(version)) return [];
      return [{ version, ...known, stage: withOneChampion(logged, serving) }];
    });
  }

  find(version: VersionId): DeployedVersion | undefined {
    return this.versions().find((known) => known.version === version);
  }

  champion(): DeployedVersion | undefined {
    const serving = this.serving();
    return serving === undefined ? undefined : this.find(serving);
  }

  /** The version that was made champion last, of those that still are. */
  private serving(): VersionId | undefined {
    return [...this.stages.values()].findLast(
      ({ stage, version }) => stage === 'champion' && this.isUsable(version),
    )?.version;
  }

  inForce(): readonly DeployedVersion[] {
    return this.versions().filter(({ stage }) => isInForce(stage.stage));
  }

  /** The strategy's memory: of the round that is open, or of the last one decided. */
  serverState(kind: ServerStateMessage['kind']): ServerStateMessage | undefined {
    return this.serverStates.get(kind);
  }

  /** In the order of the log. */
  privacyBookings(): readonly PrivacyBooking[] {
    return [...this.bookings.values()];
  }

  /** Resolves once everything that is in the log now has been applied. */
  async sync(): Promise<void> {
    await (await this.tail).sync();
  }

  /** Call back after each change; returns the way to stop. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Resolves with the version once it has that stage (or at once); rejects when `signal` aborts. */
  whenStaged(version: VersionId, stage: Stage, signal: AbortSignal): Promise<DeployedVersion> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const known = this.find(version);
        if (known?.stage.stage !== stage) return;
        stop();
        resolve(known);
      };
      const stop = this.onChange(check);
      signal.addEventListener('abort', () => {
        stop();
        const message = `${version} did not become ${stage} in model-deployments`;
        reject(new FedloopError('KafkaUnavailable', message));
      });
      check();
    });
  }

  async close(): Promise<void> {
    await (await this.tail).close();
  }

  /** One broken message must not stop a fleet: it is reported and passed over, and the versions before it stay in force. */
  private applyOrWarn({ key: bytes, value, offset, signature }: IncomingRecord): void {
    const key = bytes?.toString() ?? null;
    const isSettings = key === SETTINGS_KEY;
    if (value === null) return;
    try {
      const message = readDeployment(
        { key, value, offset, signature },
        isSettings ? 'InvalidConfig' : 'InvalidModel',
      );
      const known = this.known(message);
      if (signature === 'valid') assertNotOlder(message, known && orderOf(known));
      this.apply(message);
      if (isSettings) this.settingsFault = undefined;
    } catch (cause) {
      this.refusals += 1;
      this.log.error({ offset, err: cause }, 'passed over a message of model-deployments');
      // Settings do not change while a deployment lives, so what was understood before holds.
      if (isSettings && this.logged === undefined)
        this.settingsFault = { cause, isRefused: signature !== undefined && signature !== 'valid' };
    }
  }

  /** @throws FedloopError `InvalidModel` when a model is not what its message says, `InvalidConfig` for settings of another fleet. */
  private apply(message: DeploymentMessage): void {
    switch (message.type) {
      case 'settings':
        this.takeSettings(message.settings);
        return;
      case 'server-state':
        this.serverStates.set(message.kind, message);
        return;
      case 'privacy-booking':
        // What was spent stays spent.
        if (!this.bookings.has(message.draw)) this.bookings.set(message.draw, message);
        return;
      case 'stage':
        // Kept in the order of the log, so that the latest to be made champion is known.
        this.stages.delete(message.version);
        this.stages.set(message.version, message);
        if (message.stage === 'champion') this.latestPromotion = message;
        return;
      case 'model':
        assertSameWeights(message, this.finalHash(message.version));
        this.models.set(message.version, { message, model: acceptModel(message) });
        this.reportMisfits();
    }
  }

  private finalHash(version: VersionId): string | undefined {
    if (!this.stages.has(version) || !this.isUsable(version)) return undefined;
    return this.models.get(version)?.message.sha256;
  }

  /** What was last taken in under the message's key. */
  private known(message: DeploymentMessage): DeploymentMessage | undefined {
    if (message.type === 'settings') return undefined;
    if (message.type === 'server-state') return this.serverStates.get(message.kind);
    if (message.type === 'privacy-booking') return this.bookings.get(message.draw);
    if (message.type === 'stage') return this.stages.get(message.version);
    return this.models.get(message.version)?.message;
  }

  /** A release with other limits may log them anew; nothing else changes while its deployment lives. */
  private takeSettings(settings: StreamSettings): void {
    const { logged } = this;
    if (logged !== undefined) assertOwnSettings({ ...logged, limits: settings.limits }, settings);
    this.logged = settings;
    this.reportMisfits();
  }

  private isUsable(version: VersionId): boolean {
    const known = this.models.get(version);
    return known !== undefined && fitsTask(known.model, (this.logged ?? DEFAULT_STREAM_SETTINGS).task);
  }

  /** A model that forecasts from other features than the task has is in force nowhere. It is said once, whichever of the two came first. */
  private reportMisfits(): void {
    if (this.logged === undefined) return;
    for (const [version, { message, model }] of this.models) {
      if (this.isUsable(version) || this.misfits.get(version) === message.sha256) continue;
      this.misfits.set(version, message.sha256);
      this.log.error(
        { version, inputs: model.metadata.shape.inputs, features: featureCount(this.logged.task) },
        'a model has other inputs than the task has features, and is not used',
      );
    }
  }
}

/** Append messages to `model-deployments`. */
export async function logDeployment(
  producer: Producer,
  messages: readonly DeploymentMessage[],
): Promise<void> {
  await producer.send(
    TOPICS.deployments.name,
    messages.map((message) => ({
      key: deploymentKey(message),
      value: JSON.stringify(message),
      // The order of all messages counts, also where somebody has given the topic more partitions.
      partition: 0,
    })),
  );
}
