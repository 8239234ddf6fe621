import { type TrainingSettings } from '../contracts/rounds';
import { LocalTrainer } from '../federation/training/local-training';
import { ModelsOnSamples } from '../model/batch-predictor';
import { type NetworkShape } from '../model/types';

/** The graphs that all rounds of a process use, each built once. */
export class RoundGraphs {
  private readonly trainers = new Map<number, LocalTrainer>();

  private constructor(
    readonly shape: NetworkShape,
    readonly training: TrainingSettings,
    readonly threads: number,
    readonly predictor: ModelsOnSamples,
  ) {}

  /** @param threads of one run; 0 = one a core */
  static async create(
    shape: NetworkShape,
    training: TrainingSettings,
    threads: number,
  ): Promise<RoundGraphs> {
    return new RoundGraphs(shape, training, threads, await ModelsOnSamples.create({ shape, threads }));
  }

  /** The trainer with FedProx's pull μ; 0 = none. */
  async trainer(proximal: number): Promise<LocalTrainer> {
    const known = this.trainers.get(proximal);
    if (known !== undefined) return known;
    const { training: settings, threads, shape } = this;
    const made = await LocalTrainer.create({ shape, settings, proximal, threads });
    this.trainers.set(proximal, made);
    return made;
  }

  async release(): Promise<void> {
    for (const trainer of this.trainers.values()) await trainer.release();
  }
}
