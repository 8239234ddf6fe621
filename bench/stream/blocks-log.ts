import { z } from 'zod';
import { TOPICS } from '../../core/contracts/topics';
import { readEnvironment } from '../../core/platform/config';
import { connectKafka, type Kafka } from '../../core/platform/kafka';
import { silentLogger } from '../../core/platform/log';
import { type ResultTopic } from './watch';

/** A block of results as it stands in its topic, without its rows. */
export interface LoggedBlock {
  readonly topic: ResultTopic;
  readonly partition: number;
  readonly windowStart: number;
  readonly ordinal: number;
  readonly rows: number;
  /** When the stream worker handed it to the producer. */
  readonly writtenMillis: number;
}

const blockSchema = z.object({
  type: z.enum(['analysis', 'evaluation']),
  partition: z.int(),
  window_start: z.int(),
  ordinal: z.int(),
  columns: z.object({ device_id: z.array(z.string()) }),
});

export interface RunLog {
  readonly blocks: readonly LoggedBlock[];
  /** When the first partition was claimed. */
  readonly claimedMillis: number;
}

/** Read back what a run has written to Kafka. */
export async function readRunLog(env: NodeJS.ProcessEnv): Promise<RunLog> {
  const kafka = await connectKafka(readEnvironment(env), 'fedloop-bench', silentLogger());
  try {
    const blocks: LoggedBlock[] = [];
    for (const topic of [TOPICS.analysis.name, TOPICS.evaluations.name] as const) {
      await readTopic(kafka, topic, (value, writtenMillis) => {
        const block = blockSchema.safeParse(JSON.parse(value));
        if (!block.success) return;
        const { partition, window_start: windowStart, ordinal, columns } = block.data;
        blocks.push({
          topic,
          partition,
          windowStart,
          ordinal,
          rows: columns.device_id.length,
          writtenMillis,
        });
      });
    }
    let claimedMillis = Infinity;
    await readTopic(kafka, TOPICS.checkpoints.name, (_, writtenMillis) => {
      claimedMillis = Math.min(claimedMillis, writtenMillis);
    });
    return { blocks, claimedMillis };
  } finally {
    await kafka.disconnect();
  }
}

async function readTopic(
  kafka: Kafka,
  topic: string,
  onRecord: (value: string, writtenMillis: number) => void,
): Promise<void> {
  const tail = await kafka.tail({
    topic,
    from: 'start',
    onRecords(records) {
      for (const { value, timestampMillis } of records)
        if (value !== null) onRecord(value.toString('utf8'), timestampMillis);
    },
  });
  await tail.caughtUp;
  await tail.close();
}
