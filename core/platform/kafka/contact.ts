import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type ISocketFactory } from 'kafkajs';
import { type Logger } from '../log';
import { watchConnections, type ConnectionWatcher } from './kafkajs-patches';
import { type KafkaSecurity } from './kafka-security';
import {
  awayTrouble,
  connectionTrouble,
  listenerTrouble,
  loginTrouble,
  type KafkaTrouble,
} from './kafka-trouble';
import { probeListener } from './probe-listener';

/** As the library's own sockets have it. */
const KEEP_ALIVE_MS = 60_000;
/** A broker that restarts is back before it is worth a line in the log. */
const AWAY_AFTER_MS = 5_000;

/**
 * How a client gets on with its brokers. Before it was let in, what no retry can mend ends the start at once. Afterwards it may have been changed
 * while we run, and may be changed back: it is said, and tried again.
 */
export class BrokerContact implements ConnectionWatcher {
  private readonly troubles = new Map<string, KafkaTrouble>();
  /** Brokers that have let us in. */
  private readonly known = new Set<string>();
  private readonly probes = new Map<string, Promise<void>>();
  private readonly absences = new Map<string, Absence>();
  private hasStarted = false;

  constructor(
    private readonly seeds: readonly string[],
    private readonly security: KafkaSecurity,
    private readonly log: Logger,
  ) {}

  /** What keeps us from a broker now; undefined while all is well. */
  get trouble(): KafkaTrouble | undefined {
    const [trouble] = this.troubles.values();
    if (trouble !== undefined) return trouble;
    for (const [broker, { isSaid }] of this.absences) if (isSaid) return awayTrouble(broker);
    return undefined;
  }

  /** Makes the sockets of one client, whose connections are watched from now on. */
  sockets(): ISocketFactory {
    const factory: ISocketFactory = ({ host, port, onConnect }) => {
      const socket = this.open(host, port, onConnect);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      // Each request that is written before it is open waits for that with a listener of its own.
      socket.setMaxListeners(0);
      return socket;
    };
    watchConnections(factory, this);
    return factory;
  }

  /** A broker has answered a request that only those may send who are let in. */
  started(): void {
    this.hasStarted = true;
    for (const broker of this.seeds) if (!this.troubles.has(broker)) this.known.add(broker);
  }

  /** Resolves when it is known what listens where we were hung up on. */
  async looked(): Promise<void> {
    await Promise.all(this.probes.values());
  }

  opened(broker: string): void {
    // With TLS 1.3 a broker looks at our certificate only afterwards, and users come later still.
    if (this.hasStarted && this.security.sasl === undefined) this.letIn(broker);
  }

  ended(broker: string, cause: unknown): boolean {
    const trouble = connectionTrouble(broker, cause, this.security);
    if (trouble !== undefined) this.note(broker, trouble);
    else if (!this.hasStarted && isHangUp(cause)) this.look(broker);
    // A broker closes connections that nobody has used for a while.
    else if (this.hasStarted && !isOrderly(cause)) this.miss(broker, AWAY_AFTER_MS);
    return this.mayRetry(broker);
  }

  silent(broker: string): void {
    if (this.hasStarted) this.miss(broker, 0);
  }

  answered(broker: string): void {
    const absence = this.absences.get(broker);
    if (absence === undefined) return;
    this.absences.delete(broker);
    if (!absence.isSaid) return;
    const seconds = Math.round((performance.now() - absence.since) / 1_000);
    this.log.info({ broker, seconds }, `the Kafka broker ${broker} answers again`);
  }

  entered(broker: string): void {
    if (this.hasStarted) this.letIn(broker);
  }

  loginFailed(broker: string, cause: unknown): boolean {
    const trouble = loginTrouble(broker, cause, this.security);
    if (trouble === undefined) return true;
    this.note(broker, trouble);
    // All brokers know the same users.
    return trouble.passes === true || this.known.has(broker);
  }

  private open(host: string, port: number, onConnect: () => void): Socket {
    const { tls } = this.security;
    if (tls === undefined) return connectPlain({ host, port }, onConnect);
    return connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...tls }, onConnect);
  }

  /** One of several brokers is enough to start with. */
  private mayRetry(broker: string): boolean {
    if (!this.troubles.has(broker)) return true;
    if (this.known.has(broker)) return true;
    return !this.hasStarted && !this.seeds.every((seed) => this.troubles.has(seed));
  }

  private look(broker: string): void {
    if (this.probes.has(broker)) return;
    const probe = probeListener(broker).then((listener) => {
      const trouble = listener === undefined ? undefined : listenerTrouble(broker, listener, this.security);
      if (trouble !== undefined) this.note(broker, trouble);
    });
    this.probes.set(broker, probe);
  }

  /** Said once an absence, when it has lasted for so long; attempts go on meanwhile. */
  private miss(broker: string, sayAfterMillis: number): void {
    const absence = this.absences.get(broker) ?? { since: performance.now(), isSaid: false };
    this.absences.set(broker, absence);
    if (absence.isSaid || performance.now() - absence.since < sayAfterMillis) return;
    absence.isSaid = true;
    const { message, hint } = awayTrouble(broker);
    this.log.warn({ broker, hint }, message);
  }

  private note(broker: string, trouble: KafkaTrouble): void {
    const isNew = this.troubles.get(broker)?.message !== trouble.message;
    this.troubles.set(broker, trouble);
    if (isNew && this.hasStarted) this.log.error({ broker, hint: trouble.hint }, trouble.message);
  }

  private letIn(broker: string): void {
    this.known.add(broker);
    if (!this.troubles.delete(broker)) return;
    this.log.info({ broker }, `the Kafka broker ${broker} lets us in again`);
  }
}

interface Absence {
  readonly since: number;
  isSaid: boolean;
}

/** What the library makes of a connection that the other side has ended in good order. */
function isOrderly(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'KafkaJSConnectionClosedError';
}

/** The other side has closed the connection, with or without a word of TCP. */
function isHangUp(cause: unknown): boolean {
  if (!(cause instanceof Error)) return false;
  if (cause.name === 'KafkaJSConnectionClosedError') return true;
  const code = 'code' in cause ? cause.code : undefined;
  return (
    code === 'ECONNRESET' ||
    code === 'EPIPE' ||
    (typeof code === 'string' && /^(EPROTO|ERR_SSL_WRONG)/.test(code))
  );
}
