import { type Connection } from '@temporalio/client';
import { type Logger } from '../core/platform/log';
import { hasGrpcStatus } from './grpc-status';

/** How often a worker asks whether its server is there: soon enough for a probe, too rarely to cost anything. */
const LOOK_MS = 5_000;
/** A server that lives answers within milliseconds; a busy one within seconds. */
const ANSWER_MS = 5_000;

/**
 * A workflow that there is none of. To know that, the server must look into its database: one whose disk is full still answers what it can
 * from memory, while no workflow moves.
 */
const NOBODY = 'fedloop-is-anybody-there';

type Asked = Pick<Connection, 'withDeadline'> & {
  readonly workflowService: Pick<
    Connection['workflowService'],
    'getSystemInfo' | 'describeWorkflowExecution'
  >;
};

type Away = 'silent' | 'without its database';

const SAID: Readonly<Record<Away, { readonly what: string; readonly remedy: string }>> = {
  silent: {
    what: 'the Temporal server does not answer',
    remedy: 'Check that it runs and that the network reaches it',
  },
  'without its database': {
    what: 'the Temporal server answers, but not from its database, so that no workflow moves',
    remedy: 'Check the space on its disk and its log',
  },
};

/** Whether a Temporal server works. The SDK tries again for ever and tells nobody, so that `/healthz` would not say what a worker waits for. */
export class TemporalContact {
  private readonly look: NodeJS.Timeout;
  private isAsking = false;
  private away: { readonly how: Away; readonly since: number } | undefined;

  constructor(
    private readonly connection: Asked,
    private readonly namespace: string,
    private readonly log: Logger,
    everyMillis = LOOK_MS,
  ) {
    this.look = setInterval(() => void this.ask(), everyMillis).unref();
  }

  /** What the worker waits for, and what to do; undefined while the server works. */
  get trouble(): string | undefined {
    if (this.away === undefined) return undefined;
    const { what, remedy } = SAID[this.away.how];
    return `${what}. ${remedy}; the worker goes on by itself when it is back.`;
  }

  close(): void {
    clearInterval(this.look);
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      const how = await this.findAway();
      if (how === undefined) this.answered();
      else this.missed(how);
    } finally {
      this.isAsking = false;
    }
  }

  private async findAway(): Promise<Away | undefined> {
    const { workflowService } = this.connection;
    const question = { namespace: this.namespace, execution: { workflowId: NOBODY } };
    if (!(await this.isAnswered(() => workflowService.getSystemInfo({})))) return 'silent';
    const isRead = await this.isAnswered(() => workflowService.describeWorkflowExecution(question));
    return isRead ? undefined : 'without its database';
  }

  /** A server that refuses an answer is there. */
  private async isAnswered(question: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.connection.withDeadline(Date.now() + ANSWER_MS, question);
      return true;
    } catch (cause) {
      return !isAway(cause);
    }
  }

  private answered(): void {
    if (this.away === undefined) return;
    const seconds = Math.round((performance.now() - this.away.since) / 1_000);
    this.away = undefined;
    this.log.info({ seconds }, 'the Temporal server answers again');
  }

  private missed(how: Away): void {
    if (this.away?.how === how) return;
    this.away = { how, since: this.away?.since ?? performance.now() };
    this.log.warn(`${SAID[how].what}; the worker goes on by itself when it is back`);
  }
}

/** A native connection calls a deadline of its own that has passed `cancelled`. */
const AWAY = ['unavailable', 'deadlineExceeded', 'cancelled'] as const;

function isAway(cause: unknown): boolean {
  return AWAY.some((status) => hasGrpcStatus(cause, status));
}
