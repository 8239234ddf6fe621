import { partsFor } from '../../contracts/rounds';
import { ownStrategySchema } from '../../contracts/strategies';
import { type FlatWeights } from '../../model/types';
import { aggregateRound } from '../aggregation/aggregate';
import { type Update } from '../strategies/own/define-strategy';
import { type StrategyModule } from '../strategies/own/module-file';
import { RunningStrategy, type StartOptions } from '../strategies/own/running-strategy';
import { stateFor, type ServerState } from '../strategies/server-state';
import { type Strategy, type StrategySettings } from '../strategies/strategy';

/** What is asked of a strategy: the step of these updates. */
export interface Trial {
  readonly base: FlatWeights;
  readonly updates: readonly Update[];
  /** What an earlier step has left; null: nothing. */
  readonly state: ServerState | null;
}

export interface TrialStep {
  /** [P], of two proposals one behind the other. */
  readonly delta: FlatWeights;
  /** One an update and proposal. */
  readonly weights: Float64Array;
  readonly state: ServerState;
  readonly changedInput: boolean;
}

/** A strategy under test. */
export interface Subject {
  readonly name: string;
  step(trial: Trial): Promise<TrialStep>;
  close(): void;
}

const LEARNING_RATE = 0.05;
const FLEET_DEVICES = 100;

/** One of Fedloop's, with its default parts and settings. */
export function builtInSubject(strategy: Strategy): Subject {
  return {
    name: strategy.name,
    step: ({ base, updates, state }) => {
      const before = textOf(updates, base);
      const { proposals, state: next } = aggregateRound({
        strategy,
        strategySettings: {},
        updates,
        base,
        learningRate: LEARNING_RATE,
        localSteps: (rows) => updates.find((update) => update.rows === rows)?.localSteps ?? 1,
        fleetDevices: FLEET_DEVICES,
        state,
        realAccuracy: updates.map(({ realAccuracy }) => realAccuracy),
        rootUpdate: base.map((weight, at) => weight * Math.sin(at)),
        parts: partsFor(strategy.name, {}),
        noise: null,
      });
      return Promise.resolve({
        delta: Float32Array.from(proposals.flatMap(({ delta }) => [...delta])),
        weights: Float64Array.from(proposals.flatMap(({ weights }) => [...weights])),
        state: next,
        changedInput: before !== textOf(updates, base),
      });
    },
    close: () => undefined,
  };
}

function textOf(updates: readonly Update[], base: FlatWeights): string {
  return JSON.stringify([updates.map(({ delta, ...about }) => [about, [...delta]]), [...base]]);
}

/** A strategy of one's own, in its process; a new one where the last one was ended. */
export function ownSubject(
  module: StrategyModule,
  settings: StrategySettings,
  options: StartOptions,
): Subject {
  let running: RunningStrategy | undefined;
  const name = ownStrategySchema.safeParse(module.name).data ?? ownStrategySchema.parse('./unnamed.js');
  return {
    name: module.name,
    step: async ({ base, updates, state }) => {
      if (running?.isAlive !== true) running = await RunningStrategy.start(module, options);
      const { steps, vectors, ...rest } = stateFor(name, state, base.length);
      const context = { base, round: steps + 1, learningRate: LEARNING_RATE, steps, state: vectors };
      const { state: next, ...step } = await running.watchedStep({ updates, context, settings });
      return { ...step, state: { ...rest, steps: steps + 1, vectors: next } };
    },
    close: () => {
      running?.close();
    },
  };
}
