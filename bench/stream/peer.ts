import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Processes } from '../../cli/processes/processes';
import { packageFile } from '../../cli/shared/package-root';
import { type Progress } from '../../cli/progress';
import { runTool } from '../../cli/servers/tool';
import { FedloopError } from '../../core/contracts/errors';
import { obtainSpark, type Spark } from './obtain-spark';

/** What a peer is told: a program that takes this as its last argument (JSON) and prints a measurement as its last line. */
export const peerWorkSchema = z.strictObject({
  brokers: z.string(),
  topic: z.string(),
  partitions: z.int().min(1),
  events: z.int().min(1),
  /** A folder of its own. */
  folder: z.string(),
});
export type PeerWork = z.infer<typeof peerWorkSchema>;

export const peerMeasurementSchema = z.object({
  /** From the start of reading to the end of all work. */
  seconds: z.number().positive(),
  /** From the start of the process to the start of reading. */
  setupSeconds: z.number().nonnegative(),
  /** Of the process that does the work, without the broker's; null where it cannot be known. */
  cpuSeconds: z.number().positive().nullable(),
  peakMegabytes: z.number().positive().nullable(),
  /** Events that went in, and rows that came out (0 where the peer makes none). */
  events: z.int(),
  rows: z.int(),
});
export type PeerMeasurement = z.infer<typeof peerMeasurementSchema>;

/** `spark-live` is Spark told to hand out each window as it closes, as a live system must; `spark` may save up. */
export const PEERS = ['spark', 'spark-live', 'raw'] as const;
export type PeerName = (typeof PEERS)[number];

/** A peer that is ready to run. */
export interface Peer {
  readonly name: PeerName;
  run(work: PeerWork): Promise<PeerMeasurement>;
}

/** @throws FedloopError `ServerUnavailable` when the peer's programs cannot be had. */
export async function obtainPeer(
  name: PeerName,
  cache: string,
  processes: Processes,
  progress: Progress,
): Promise<Peer> {
  const [program, ...args] =
    name === 'raw'
      ? [process.execPath, join(__dirname, 'raw-loop.js')]
      : sparkCommand(await obtainSpark(cache, processes, progress), SPARK_EVENTS_PER_TRIGGER[name]);
  return {
    name,
    async run(work) {
      await rm(work.folder, { recursive: true, force: true });
      await mkdir(work.folder, { recursive: true });
      const lines = await runTool({
        processes,
        name,
        program: program ?? '',
        args: [...args, JSON.stringify(work)],
        env: process.env,
        logFile: join(work.folder, `${name}.log`),
      });
      const measurement = peerMeasurementSchema.parse(JSON.parse(lines.at(-1) ?? ''));
      if (measurement.events === work.events) return measurement;
      throw new FedloopError(
        'Internal',
        `${name} read ${measurement.events} of ${work.events} events: its time says nothing`,
      );
    },
  };
}

/**
 * Events of one micro-batch: two million are as few commits of its state as a stream can do with; 360,000 are one window of the
 * reference fleet (12,000 a second for 30 s), so that rows come out as their windows close.
 */
const SPARK_EVENTS_PER_TRIGGER = { spark: 2_000_000, 'spark-live': 360_000 } as const;

function sparkCommand({ python, jars }: Spark, eventsPerTrigger: number): readonly string[] {
  return [python, packageFile('bench', 'stream', 'spark', 'windows.py'), jars, String(eventsPerTrigger)];
}
