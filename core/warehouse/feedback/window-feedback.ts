import { type Micros } from '../../contracts/time';
import { type Logger } from '../../platform/log';
import { type FeedbackPublisher } from './publisher';

/** Publishes feedback on complete windows: one run at a time, and once more when it was woken in between. */
export class WindowFeedback {
  private woken = false;
  /** Windows before it have their feedback; the tables are not queried again until there are more. */
  private publishedBefore: Micros = NaN;
  private rollbacksPossible = true;
  private running: Promise<void> | undefined;
  private stopped = false;

  /** @param onPublished after each run; windows before `before` are complete, `isNew` when feedback was published. */
  constructor(
    private readonly publisher: FeedbackPublisher,
    private readonly completeBefore: () => Promise<Micros>,
    private readonly log: Logger,
    private readonly onPublished: (before: Micros, isNew: boolean) => Promise<void>,
  ) {}

  wake(): void {
    this.woken = true;
    if (!this.stopped) this.running ??= this.publish();
  }

  /** Versions, stages or activations have come: a rollback may be among them. */
  noteDeployments(): void {
    this.rollbacksPossible = true;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.running;
  }

  private async publish(): Promise<void> {
    try {
      while (this.woken && !this.stopped) {
        this.woken = false;
        const before = await this.completeBefore();
        if (before !== this.publishedBefore) {
          const windows = await this.publisher.publishWindows(before);
          await this.onPublished(before, windows.length > 0);
          this.publishedBefore = before;
        }
        if (this.rollbacksPossible) await this.publishRollbacks();
      }
    } catch (cause) {
      // The next rows wake it again, and these windows get their feedback then.
      this.log.error({ err: cause }, 'feedback on complete windows could not be published');
    } finally {
      this.running = undefined;
    }
  }

  private async publishRollbacks(): Promise<void> {
    this.rollbacksPossible = false;
    await this.publisher.publishRollbacks().catch((cause: unknown) => {
      this.rollbacksPossible = true;
      throw cause;
    });
  }
}
