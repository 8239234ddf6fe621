import { type Feedback, type FeedbackMessage } from '../../contracts/feedback';
import { type VersionId } from '../../contracts/ids';
import { type Micros } from '../../contracts/time';
import { TOPICS } from '../../contracts/topics';
import { type Producer } from '../../platform/kafka';
import { type SerialConnection } from '../database/connection';
import { deviceFeedbackOfRange, worstDevicesIn } from './by-device';
import { feedbackOfRange } from './queries';
import { storeFeedback } from './store';
import { markRollbackPublished, unpublishedRollbacks } from './rollbacks';
import { evaluatedWindows, latestPublishedWindow, type WindowRange } from '../queries/windows';

/** Publishes feedback that is counted from rows. It is the only writer of `model-feedback`. */
export class FeedbackPublisher {
  constructor(
    private readonly producer: Producer,
    private readonly connection: SerialConnection,
    private readonly tolerance: number,
  ) {}

  /**
   * Publish feedback on every version in each complete window that has none yet. It is stored afterwards, so a crash in between
   * publishes it twice, never not at all.
   * @returns the windows.
   */
  async publishWindows(before: Micros): Promise<Micros[]> {
    const published = await latestPublishedWindow(this.connection);
    const from = published === null ? null : published + 1;
    const windows = await evaluatedWindows(this.connection, { from, before });
    for (const window of windows) {
      const feedback = await feedbackOfRange(this.connection, {
        scope: 'window',
        round: null,
        from: window,
        until: window,
        tolerance: this.tolerance,
      });
      await this.send(feedback);
      await storeFeedback(this.connection, feedback);
    }
    return windows;
  }

  /** Publish a round's verdict on its versions, with each version's accuracy by device. */
  async publishRound(
    input: WindowRange & { readonly round: number; readonly versions: readonly VersionId[] },
  ): Promise<Feedback[]> {
    // Devices first, so that they are there for a reader of the verdict. One version's are sent while the next one's are counted.
    const worst = new Map<VersionId, Feedback['worst_devices']>();
    let counted: readonly FeedbackMessage[] = [];
    for (const version of input.versions) {
      const [devices] = await Promise.all([
        deviceFeedbackOfRange(this.connection, { ...input, version }),
        this.send(counted),
      ]);
      worst.set(version, worstDevicesIn(devices));
      counted = devices;
    }
    const [feedback] = await Promise.all([
      feedbackOfRange(this.connection, { ...input, scope: 'round', tolerance: this.tolerance, worst }),
      this.send(counted),
    ]);
    await this.send(feedback);
    await storeFeedback(this.connection, feedback);
    return feedback;
  }

  /** Publish new rollbacks. They are marked afterwards, so a crash in between publishes one twice, never not at all. */
  async publishRollbacks(): Promise<number> {
    const rollbacks = await unpublishedRollbacks(this.connection);
    for (const { logOffset, message } of rollbacks) {
      await this.send([message]);
      await markRollbackPublished(this.connection, logOffset);
    }
    return rollbacks.length;
  }

  private async send(messages: readonly FeedbackMessage[]): Promise<void> {
    if (messages.length === 0) return;
    await this.producer.send(
      TOPICS.feedback.name,
      messages.map((message) => ({ key: message.model_version, value: JSON.stringify(message) })),
    );
  }
}
