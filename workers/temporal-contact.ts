import { type Connection } from '@temporalio/client';
import { type Logger } from '../core/platform/log';
import { hasGrpcStatus } from './grpc-status';

/** How often a worker asks whether its server is there: soon enough for a probe, too rarely to cost anything. */
const LOOK_MS = 5_000;
/** A server that lives answers within milliseconds; a busy one within seconds. */
const ANSWER_MS = 5_000;

type Asked = Pick<Connection, 'withDeadline'> & {
  readonly workflowService: Pick<Connection['workflowService'], 'getSystemInfo'>;
};

/** Whether a Temporal server answers. The SDK tries again for ever and tells nobody, so that `/healthz` would not say what a worker waits for. */
export class TemporalContact {
  private readonly look: NodeJS.Timeout;
  private isAsking = false;
  private awaySince: number | undefined;

  constructor(
    private readonly connection: Asked,
    private readonly log: Logger,
    everyMillis = LOOK_MS,
  ) {
    this.look = setInterval(() => void this.ask(), everyMillis).unref();
  }

  /** What the worker waits for, and what to do; undefined while the server answers. */
  get trouble(): string | undefined {
    if (this.awaySince === undefined) return undefined;
    return 'the Temporal server does not answer. Check that it runs and that the network reaches it; the worker goes on by itself when it is back.';
  }

  close(): void {
    clearInterval(this.look);
  }

  private async ask(): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    const { connection } = this;
    try {
      await connection.withDeadline(Date.now() + ANSWER_MS, () =>
        connection.workflowService.getSystemInfo({}),
      );
      this.answered();
    } catch (cause) {
      // A server that refuses an answer is there.
      if (isAway(cause)) this.missed();
      else this.answered();
    } finally {
      this.isAsking = false;
    }
  }

  private answered(): void {
    if (this.awaySince === undefined) return;
    const seconds = Math.round((performance.now() - this.awaySince) / 1_000);
    this.awaySince = undefined;
    this.log.info({ seconds }, 'the Temporal server answers again');
  }

  private missed(): void {
    if (this.awaySince !== undefined) return;
    this.awaySince = performance.now();
    this.log.warn('the Temporal server does not answer; the worker goes on by itself when it is back');
  }
}

/** A native connection calls a deadline of its own that has passed `cancelled`. */
const AWAY = ['unavailable', 'deadlineExceeded', 'cancelled'] as const;

function isAway(cause: unknown): boolean {
  return AWAY.some((status) => hasGrpcStatus(cause, status));
}
