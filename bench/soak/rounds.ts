import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { type Servers } from '../../cli/servers/servers';
import { DEFAULT_FLEET } from '../../core/contracts/ids';
import { fleetNames } from '../../core/contracts/queues';
import { federatedRoundResultSchema } from '../../core/contracts/rounds';

/** As many as a promotion needs, so that versions change under load. */
const WINDOWS_OF_A_ROUND = 3;

/** A round that has ended. */
export interface SoakRound {
  readonly decision: string;
  readonly seconds: number;
}

/** Rounds one after the other, one begun every so often, until told to stop; the round under way is waited for. */
export class SteadyRounds {
  readonly ended: SoakRound[] = [];
  private readonly stop = new AbortController();
  private readonly finished: Promise<void>;

  private constructor(
    private readonly connection: Connection,
    private readonly client: Client,
    private readonly everyMillis: number,
  ) {
    this.finished = this.run();
    this.finished.catch(() => undefined);
  }

  static async start({ temporal }: Servers, everyMillis: number): Promise<SteadyRounds> {
    const connection = await Connection.connect(
      temporal.address === undefined ? {} : { address: temporal.address },
    );
    const client = new Client({ connection, namespace: temporal.namespace });
    return new SteadyRounds(connection, client, everyMillis);
  }

  /** @throws as the round that failed. */
  async end(): Promise<readonly SoakRound[]> {
    this.stop.abort();
    try {
      await this.finished;
    } finally {
      await this.connection.close();
    }
    return this.ended;
  }

  private async run(): Promise<void> {
    const { roundId, roundsQueue } = fleetNames(DEFAULT_FLEET);
    while (!this.stop.signal.aborted) {
      const began = performance.now();
      const result: unknown = await this.client.workflow.execute('federatedRound', {
        workflowId: `${roundId}-${this.ended.length}`,
        taskQueue: roundsQueue,
        args: [{ windows: WINDOWS_OF_A_ROUND }],
      });
      const { decision } = federatedRoundResultSchema.parse(result);
      const tookMillis = performance.now() - began;
      this.ended.push({ decision, seconds: tookMillis / 1_000 });
      await sleep(Math.max(0, this.everyMillis - tookMillis), undefined, {
        signal: this.stop.signal,
      }).catch(() => undefined);
    }
  }
}
