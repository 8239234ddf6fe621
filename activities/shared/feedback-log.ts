import { feedbackMessageSchema, type Feedback } from '../../core/contracts/feedback';
import { roundOfVersion, type VersionId } from '../../core/contracts/ids';
import { TOPICS } from '../../core/contracts/topics';
import { type Kafka } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import { parseJson } from '../../core/contracts/validation';

/** `model-feedback` as the aggregator and the trainers read it. */
export interface FeedbackLog {
  /** The latest feedback on a version as of now: the verdict of its latest round, else its latest window. */
  latest(version: VersionId): Promise<Feedback | null>;
  /** Verdicts of rounds, oldest first. */
  roundVerdicts(): Promise<readonly Feedback[]>;
  /** Rounds whose versions have been measured, by the names of the versions. */
  measuredRounds(): Promise<readonly number[]>;
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
        const message = feedbackMessageSchema.safeParse(value === null ? undefined : parseJson(value));
        if (!message.success) {
          log.warn({ offset }, 'passed over a message of model-feedback');
        } else if (message.data.type === 'feedback') {
          const feedback = message.data;
          if (feedback.scope === 'window') latestWindow.set(feedback.model_version, feedback);
          else {
            latestRound.set(feedback.model_version, feedback);
            verdicts.push(feedback);
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
    async measuredRounds() {
      await tail.sync();
      return [...latestWindow.keys(), ...latestRound.keys()].map(roundOfVersion);
    },
    close: () => tail.close(),
  };
}
