import { type TrainingSettings } from '../../core/contracts/rounds';
import { LocalTrainer } from '../../core/federation/training/local-training';
import { ModelsOnSamples } from '../../core/model/batch-predictor';
import { DEFAULT_TASK, featureCount, historyWindows } from '../../core/contracts/task';
import { networkShape } from '../../core/model/types';

/** The benchmark plays the default task. */
export const TASK = DEFAULT_TASK;
export const SHAPE = networkShape(TASK);
export const FEATURES = featureCount(TASK);
export const WINDOWS_BEFORE_TARGETS = historyWindows(TASK);

/** The graphs that every run uses, built once. */
export class Engine {
  private readonly trainers = new Map<number, LocalTrainer>();

  private constructor(
    readonly training: TrainingSettings,
    readonly threads: number,
    readonly predictor: ModelsOnSamples,
  ) {}

  static async create(training: TrainingSettings, threads: number): Promise<Engine> {
    return new Engine(training, threads, await ModelsOnSamples.create({ shape: SHAPE, threads }));
  }

  /** The trainer with FedProx's pull μ; 0 = none. */
  async trainer(proximal: number): Promise<LocalTrainer> {
    const known = this.trainers.get(proximal);
    if (known !== undefined) return known;
    const { training: settings, threads } = this;
    const made = await LocalTrainer.create({ shape: SHAPE, settings, proximal, threads });
    this.trainers.set(proximal, made);
    return made;
  }

  async release(): Promise<void> {
    for (const trainer of this.trainers.values()) await trainer.release();
  }
}
