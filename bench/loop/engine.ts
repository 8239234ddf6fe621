import { type TrainingSettings } from '../../core/contracts/rounds';
import { LocalTrainer } from '../../core/federation/training/local-training';
import { ModelsOnSamples } from '../../core/model/batch-predictor';
import { PRODUCT_SHAPE } from '../../core/model/types';

export const SHAPE = PRODUCT_SHAPE;

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
    await this.predictor.release();
    for (const trainer of this.trainers.values()) await trainer.release();
  }
}
