import { type NetworkRole, type Lineage, type Stage, untrainedLineage } from '../contracts/deployments';
import { FedloopError } from '../contracts/errors';
import { FIRST_VERSION, versionIdSchema, versionOfRound, type VersionId } from '../contracts/ids';
import { covariateColumns } from '../contracts/task';
import { type Micros } from '../contracts/time';
import { type LinearModel } from '../federation/panels/linear';
import { decidePromotion, type GateVerdict } from '../federation/promotion/gate';
import { type ServerState, withoutMomentum } from '../federation/strategies/server-state';
import { ControlVariates } from '../federation/training/control-variates';
import { WindowRing } from '../federation/training/window-ring';
import { modelMessage, stageMessage } from '../model/deployment-messages';
import { initialWeights } from '../model/network';
import {
  type FeatureScaling,
  type FlatWeights,
  type GlobalModel,
  type ModelMetadata,
  networkShape,
} from '../model/types';
import { closeDueWindows, closeIdleWindows } from '../stream/closing';
import { PartitionEngine } from '../stream/engine';
import { modelForecaster } from '../stream/forecasts/model-forecaster';
import { type ClosedWindow } from '../stream/windows/rows';
import { Baselines } from './baselines';
import { type BacktestOptions, type BacktestResult, type BacktestRound } from './types';
import { type Candidates, makeCandidates } from './candidates';
import { NO_CHANGES } from './changes';
import { feedbackOn } from './feedback';
import { RoundGraphs } from './graphs';
import { linearModel } from './linear-candidate';
import { RingWorld, scalingOfRing } from './ring-world';
import { Tally } from './tally';

/** A round whose candidates are being judged. */
interface OpenRound {
  readonly round: number;
  readonly from: Micros;
  readonly made: Candidates;
  readonly elected: VersionId;
  readonly beside: VersionId | null;
  readonly seen: Set<Micros>;
}

/**
 * Play recorded events, in the order of their times, through the stream engine, federated rounds and the gate, without servers. A version is
 * scored only on windows none of whose events had been read when it was made.
 */
export class Backtest {
  private readonly engine: PartitionEngine;
  private readonly ring: WindowRing;
  private readonly baselines: Baselines;
  private readonly tally: Tally;
  private readonly models = new Map<VersionId, GlobalModel>();
  private readonly forecaster = modelForecaster((version) => this.models.get(version));
  private readonly rounds: BacktestRound[] = [];
  private windows = 0;
  private champion: VersionId | null = null;
  private scaling: FeatureScaling | null = null;
  private state: ServerState | null = null;
  private linear: LinearModel | null = null;
  private readonly controls = new ControlVariates();
  private evidence: readonly number[] = [];
  private open: OpenRound | null = null;
  private started = 0;

  private constructor(
    private readonly options: BacktestOptions,
    private readonly graphs: RoundGraphs,
  ) {
    const { settings, plan } = options;
    this.engine = new PartitionEngine(0, settings);
    this.ring = new WindowRing(settings.task);
    this.tally = new Tally(settings.task.target.tolerance);
    this.baselines = new Baselines(settings.task, this.ring, plan.season);
  }

  /**
   * @param events canonical events, oldest first
   * @throws FedloopError `InvalidInput` where there are too few devices for a round
   */
  static async play(events: AsyncIterable<Uint8Array>, options: BacktestOptions): Promise<BacktestResult> {
    const { task } = options.settings;
    const graphs = await RoundGraphs.create(networkShape(task), options.training, options.threads);
    const backtest = new Backtest(options, graphs);
    try {
      return await backtest.run(events);
    } finally {
      await backtest.forecaster.release();
      await graphs.release();
    }
  }

  private async run(events: AsyncIterable<Uint8Array>): Promise<BacktestResult> {
    const { engine, forecaster, options } = this;
    let offset = 0;
    for await (const event of events) {
      engine.ingest(event, NaN, offset);
      offset += 1;
      if (!engine.isDue()) continue;
      for await (const closed of closeDueWindows(engine, forecaster.forecast)) {
        options.signal.throwIfAborted();
        await this.take(closed);
      }
    }
    for await (const closed of closeIdleWindows(engine, forecaster.forecast, Infinity, offset))
      await this.take(closed);
    // What was seen of the last round is judged as it is; fewer windows than the gate asks for promote nobody.
    if (this.open !== null) await this.decide(this.open, this.verdictOn(this.open));
    const { counts } = engine;
    const { rounds, windows, tally } = this;
    return { counts: { ...counts }, devices: this.ring.size, windows, rounds, tally };
  }

  private async take(closed: ClosedWindow): Promise<void> {
    const { start, analysis } = closed;
    const { task } = this.options.settings;
    const covariates = covariateColumns(task);
    this.tally.add(closed, this.champion, (deviceId, actual) =>
      this.baselines.errorsOf(closed, deviceId, actual),
    );
    analysis.device_id.forEach((deviceId, row) => {
      const means = covariates.map((name) => analysis[name]?.[row]);
      this.ring.put(deviceId, start, analysis.avg[row] ?? NaN, means);
    });
    this.windows += 1;
    if (this.open !== null && start >= this.open.from && closed.evaluations.device_id.length > 0) {
      this.open.seen.add(start);
      if (this.open.seen.size >= this.options.plan.judged) await this.judge(this.open);
    }
    if (this.isRoundDue()) await this.startRound(start / task.windowMicros);
    this.baselines.learn(closed);
    await this.options.log.window(closed, this.rounds.length);
  }

  private isRoundDue(): boolean {
    const { rounds, firstAfter, every } = this.options.plan;
    return this.open === null && this.started < rounds && this.windows >= firstAfter + this.started * every;
  }

  /** Train, and put the candidates into force beside the champion. */
  private async startRound(until: number): Promise<void> {
    const { rules, training, settings } = this.options;
    this.started += 1;
    const round = this.started;
    this.scaling ??= scalingOfRing(this.ring);
    const units = { scaling: this.scaling, tolerance: settings.task.target.tolerance };
    const world = new RingWorld(this.ring, units, training.windows);
    this.champion ??= await this.deployFirst();
    const { champion } = this;
    const made = await makeCandidates(world, rules, this.graphs, {
      round,
      until,
      champion: this.weightsOf(champion),
      state: this.state,
      controls: this.controls,
      evidence: this.evidence,
      feedback: feedbackOn(this.tally.of(champion), champion, units.tolerance),
    });
    this.linear = linearModel(world, rules, this.graphs, { round, until, before: this.linear }, NO_CHANGES);
    this.baselines.serveLinear(this.linear, this.scaling);
    const lineage = {
      ...untrainedLineage(rules.seed),
      round,
      parents: [champion],
      strategy: rules.strategy,
      devices: made.trained,
      data_until: until * settings.task.windowMicros,
      adapters: rules.parts.adapters,
    };
    const deploy = async (version: VersionId, role: NetworkRole): Promise<VersionId> => {
      const model = { metadata: this.metadataOf(version), weights: made[role] };
      await this.deploy(model, { ...lineage, role: made.hasRoles ? role : null }, 'candidate');
      return version;
    };
    const elected = await deploy(versionOfRound(round), made.elected);
    const other = made.elected === 'steady' ? 'responsive' : 'steady';
    const beside = made.hasRoles ? await deploy(versionIdSchema.parse(`${elected}-${other}`), other) : null;
    const from = this.engine.firstUnseenWindow(null) ?? -Infinity;
    this.open = { round, from, made, elected, beside, seen: new Set() };
  }

  /** Judge the elected candidate beside the champion; while nothing is shown, after the next window again. */
  private async judge(open: OpenRound): Promise<void> {
    const verdict = this.verdictOn(open);
    if (verdict?.isSettled === false && open.seen.size < this.options.plan.mostJudged) return;
    await this.decide(open, verdict);
  }

  private verdictOn({ elected, from }: OpenRound): GateVerdict | null {
    const { champion, tally, options } = this;
    if (champion === null) return null;
    const championIsUntrained = champion === FIRST_VERSION;
    return decidePromotion({ ...tally.evidence(elected, champion, from), championIsUntrained }, options.gate);
  }

  /** Carry the verdict out; the loser leaves. */
  private async decide(
    { round, from, made, elected, beside, seen }: OpenRound,
    verdict: GateVerdict | null,
  ): Promise<void> {
    const { champion } = this;
    if (champion === null || verdict === null) return;
    const { decision, finding, change, reason } = verdict;
    const promoted = decision === 'promoted';
    this.rounds.push({
      round,
      version: elected,
      role: made.hasRoles ? made.elected : null,
      championBefore: champion,
      decision,
      finding,
      reason,
      change,
      judgedWindows: seen.size,
      from,
      until: Math.max(from, ...seen),
      trained: made.trained,
    });
    if (beside !== null) this.evidence = [...this.evidence, this.differenceOf(made, elected, beside, from)];
    this.state = promoted ? made.state : withoutMomentum(made.state);
    if (promoted) this.champion = elected;
    await this.stage(elected, promoted ? 'champion' : 'rejected', round, reason);
    this.leave(promoted ? champion : elected);
    if (beside !== null) this.leave(beside);
    if (promoted) await this.stage(champion, 'retired', round, `${elected} serves`);
    if (beside !== null) await this.stage(beside, 'rejected', round, 'beside the elected candidate');
    this.open = null;
  }

  /** Evidence: accuracy of the responsive − the steady candidate on the judged windows. */
  private differenceOf(made: Candidates, elected: VersionId, beside: VersionId, from: Micros): number {
    const pairs = this.tally.evidence(elected, beside, from).clusters;
    const n = pairs.length;
    if (n === 0) return 0;
    const difference = pairs.reduce((sum, pair) => sum + pair.candidateCorrect - pair.championCorrect, 0) / n;
    return made.elected === 'responsive' ? difference : -difference;
  }

  /** The untrained network: the first round's champion. */
  private async deployFirst(): Promise<VersionId> {
    const { seed } = this.options.rules;
    const model = {
      metadata: this.metadataOf(FIRST_VERSION),
      weights: initialWeights(this.graphs.shape, seed),
    };
    await this.deploy(model, untrainedLineage(seed), 'champion');
    return FIRST_VERSION;
  }

  /** Put a version into force from the first window none of whose events has been read. */
  private async deploy(model: GlobalModel, lineage: Lineage, stage: 'candidate' | 'champion'): Promise<void> {
    const { version } = model.metadata;
    this.models.set(version, model);
    const beginnings = lineage.adapters ? { adapters: 'ridge' as const } : {};
    this.engine.activate(version, null, this.engine.firstUnseenWindow(null), beginnings);
    await this.options.log.deployment(modelMessage(model, lineage, new Date().toISOString()));
    await this.stage(version, stage, lineage.round, `made by ${lineage.strategy}`);
  }

  private leave(version: VersionId): void {
    this.engine.deactivate(version, this.engine.firstUnforecastWindow());
  }

  private stage(version: VersionId, stage: Stage, round: number, reason: string): Promise<void> {
    const at = new Date().toISOString();
    return this.options.log.deployment(stageMessage({ version, stage, round, reason }, at));
  }

  private metadataOf(version: VersionId): ModelMetadata {
    const { tolerance } = this.options.settings.task.target;
    if (this.scaling === null) throw new FedloopError('Internal', 'features have no scaling yet');
    return { version, shape: this.graphs.shape, scaling: this.scaling, tolerance, residualStddev: null };
  }

  private weightsOf(version: VersionId): FlatWeights {
    const model = this.models.get(version);
    if (model === undefined) throw new FedloopError('Internal', `there is no model of ${version}`);
    return model.weights;
  }
}
