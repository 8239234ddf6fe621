import { makeCandidates } from '../../core/backtest/candidates';
import { NO_CHANGES } from '../../core/backtest/changes';
import { type RoundGraphs } from '../../core/backtest/graphs';
import { partsFor, type TrainingSettings } from '../../core/contracts/rounds';
import { ControlVariates } from '../../core/federation/training/control-variates';
import { type ServerState } from '../../core/federation/strategies/server-state';
import { initialWeights } from '../../core/model/network';
import { type FlatWeights } from '../../core/model/types';
import { type Recording } from '../../fleet/recording';
import { type Clock } from '../../fleet/settings';
import { feedbackOf } from '../loop/feedback';
import { emptyScore, serve } from '../loop/score';
import { SHAPE, TASK } from '../loop/task';
import { World } from '../loop/world';

/** Rounds that a fleet plays before its versions are watched, and the windows between them. */
const ROUNDS = 8;
const WINDOWS_PER_ROUND = 6;
/** Versions of the first rounds differ by more than later ones ever do. */
const FIRST_COMPARED_ROUND = 3;
/** Windows on which the versions are watched: ten days of hours. */
export const WATCHED_WINDOWS = 240;
const PARTICIPANTS = 60;

/** Forecast errors of one version, in tolerances [devices, windows]; NaN where there is nothing to score. */
export type Errors = Float32Array;

/** One fleet without changes, and what its versions forecast after the rounds. */
export interface RecordedFleet {
  readonly clock: Clock;
  readonly clusters: readonly string[];
  /** A round's elected candidate beside the champion that it would take the place of. */
  readonly pairs: readonly { readonly candidate: Errors; readonly champion: Errors }[];
  readonly persistence: Errors;
}

/** Play the closed loop on a fleet in which nothing changes, every candidate promoted, and record the errors of its versions on later windows. */
export async function recordFleet(
  recording: Recording,
  graphs: RoundGraphs,
  training: TrainingSettings,
  { clock, seed, devices }: { readonly clock: Clock; readonly seed: number; readonly devices: number },
): Promise<RecordedFleet> {
  const live = ROUNDS * WINDOWS_PER_ROUND;
  const world = new World(recording, {
    scenario: 'stationary',
    clock,
    seed,
    devices,
    trainingWindows: training.windows,
    liveWindows: live + WATCHED_WINDOWS,
    changeWindow: live + WATCHED_WINDOWS,
    tolerance: TASK.target.tolerance,
  });
  const versions = await playRounds(world, graphs, seed);
  const samples = world.samples(live + WATCHED_WINDOWS - 1, WATCHED_WINDOWS);
  const errorsOf = (outputs: ArrayLike<number>): Errors => {
    const errors = new Float32Array(devices * WATCHED_WINDOWS).fill(NaN);
    for (let at = 0; at < samples.count; at += 1) {
      const window = WATCHED_WINDOWS - 1 - (samples.age[at] ?? 0);
      errors[(samples.device[at] ?? 0) * WATCHED_WINDOWS + window] =
        (outputs[at] ?? NaN) - (samples.y[at] ?? NaN);
    }
    return errors;
  };
  const errors: Errors[] = [];
  for (const weights of versions) errors.push(errorsOf(await graphs.predictor.predict(weights, samples.x)));
  return {
    clock,
    clusters: world.devices.map(({ cluster }) => cluster),
    pairs: errors.flatMap((candidate, round) => {
      const champion = errors[round - 1];
      return round < FIRST_COMPARED_ROUND || champion === undefined ? [] : [{ candidate, champion }];
    }),
    persistence: errorsOf(new Float32Array(samples.count)),
  };
}

/** @returns the champion of each round, the untrained one first. */
async function playRounds(world: World, graphs: RoundGraphs, seed: number): Promise<readonly FlatWeights[]> {
  const live = ROUNDS * WINDOWS_PER_ROUND;
  const score = emptyScore(live + WATCHED_WINDOWS, world.devices.length);
  const rules = {
    strategy: 'closed-loop',
    strategySettings: {},
    parts: partsFor('closed-loop', {}),
    boundaryWidth: 'feedback',
    seed,
    participants: Math.min(PARTICIPANTS, Math.floor(world.devices.length / 2)),
  } as const;
  let champion = initialWeights(SHAPE, seed);
  let state: ServerState | null = null;
  const versions = [champion];
  const controls = new ControlVariates();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const closed = (round - 1) * WINDOWS_PER_ROUND;
    const made = await makeCandidates(
      world,
      rules,
      graphs,
      {
        round,
        until: closed - 1,
        champion,
        state,
        controls,
        evidence: [],
        feedback: feedbackOf(score, closed, WINDOWS_PER_ROUND),
      },
      NO_CHANGES,
    );
    state = made.state;
    champion = made[made.elected];
    versions.push(champion);
    await serve(world, graphs, champion, closed, live, score);
  }
  return versions;
}
