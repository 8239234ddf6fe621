import { type TrainingSettings } from '../contracts/rounds';
import { LocalTrainer } from '../federation/training/local-training';
import { ModelsOnSamples } from '../model/batch-predictor';
import { type NetworkShape } from '../model/types';

/** The graphs that all rounds of a process use, each built once. */
export class RoundGraphs {
  private readonly trainers = new Map<string, LocalTrainer>();

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

  /**
   * The trainer with FedProx's pull μ; 0 = none.
   * @param corrected whether gradients are corrected, as SCAFFOLD does
   */
  async trainer(proximal: number, corrected = false): Promise<LocalTrainer> {
    const of = JSON.stringify([proximal, corrected]);
    const known = this.trainers.get(of);
    if (known !== undefined) return known;
    const { training: settings, threads, shape } = this;
    const made = await LocalTrainer.create({ shape, settings, proximal, corrected, threads });
    this.trainers.set(of, made);
    return made;
  }

  async release(): Promise<void> {
    for (const trainer of this.trainers.values()) await trainer.release();
  }
}
