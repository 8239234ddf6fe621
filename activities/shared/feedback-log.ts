import { feedbackMessageSchema, type Feedback } from '../../core/contracts/feedback';
import { type VersionId } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import { parseJson } from '../../core/contracts/validation';

/** What `model-feedback` says, as the aggregator and the trainers read it. */
export interface FeedbackLog {
  /** Everything said up to now, of one version: the verdict of its latest round, else its latest window. */
  latest(version: VersionId): Promise<Feedback | null>;
  /** Verdicts of rounds, oldest first. */
  roundVerdicts(): Promise<readonly Feedback[]>;
  close(): Promise<void>;
}

export async function openFeedbackLog(kafka: Kafka, log: Logger): Promise<FeedbackLog> {
  const latestWindow = new Map<VersionId, Feedback>();
  const latestRound = new Map<VersionId, Feedback>();
  const verdicts: Feedback[] = [];
  const tail = await kafka.tail({
    topic: TOPICS.feedback.name,
    from: 'start',
    onRecords(records) {
      for (const { value, offset } of records) {
        const message = feedbackMessageSchema.safeParse(parseJson(value));
        if (!message.success) {
          log.warn({ offset }, 'passed over a message of model-feedback');
        } else if (message.data.type === 'feedback') {
          const said = message.data;
          if (said.scope === 'window') latestWindow.set(said.model_version, said);
          else {
            latestRound.set(said.model_version, said);
            verdicts.push(said);
          }
        }
      }
    },
  });
  return {
    async latest(version) {
      await tail.sync();
      return latestRound.get(version) ?? latestWindow.get(version) ?? null;
    },
    async roundVerdicts() {
      await tail.sync();
      return verdicts;
    },
    close: () => tail.close(),
  };
}
