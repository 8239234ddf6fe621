import { z } from 'zod';
import { settingsChangeSchema } from '../core/contracts/control';
import { versionIdSchema } from '../core/contracts/ids';
import {
  type FederatedRoundResult,
  type FederatedTrainingInput,
  type FederatedTrainingResult,
} from '../core/contracts/rounds';

/** The state of a training run over all of its rounds; small, because it goes along when the run continues as new. */
export const trainingStateSchema = z.strictObject({
  rounds: z.int().min(0),
  /** Gain of each of the latest rounds: the paired change of a promoted version, 0 of any other. */
  gains: z.array(z.number()).readonly(),
  last: z.strictObject({ champion: versionIdSchema.nullable(), accuracy: z.number().nullable() }).readonly(),
  /** Rounds that failed: all of them, and those since the last that did not. Absent in states of earlier releases, and before the first. */
  failed: z.int().min(0).optional(),
  failedInARow: z.int().min(0).optional(),
  /** The latest failure, and what was done; null once a round has ended well again. */
  trouble: z.string().nullable().optional(),
  /** The latest changes of settings; absent before the first continue-as-new, and in states of earlier releases. */
  changes: z.array(settingsChangeSchema).readonly().optional(),
});
export type TrainingState = Readonly<z.infer<typeof trainingStateSchema>>;

export const startOfTraining: TrainingState = {
  rounds: 0,
  gains: [],
  last: { champion: null, accuracy: null },
};

/** Latest gains that are kept: a longer plateau that is set later looks back on these. */
const GAINS_KEPT = 1_000;

export function withRound(
  state: TrainingState,
  { decision, version, champion, candidate, previousChampion, pairedChange }: FederatedRoundResult,
): TrainingState {
  const promoted = decision === 'promoted';
  return {
    ...state,
    rounds: state.rounds + 1,
    ...(state.failed === undefined ? {} : { failedInARow: 0, trouble: null }),
    gains: [...state.gains, promoted ? pairedChange.mean : 0].slice(-GAINS_KEPT),
    last: promoted
      ? { champion: version, accuracy: candidate.accuracy }
      : { champion, accuracy: previousChampion.accuracy },
  };
}

/** A round has failed: what the training does about it, by its settings. */
export function withFailure(
  state: TrainingState,
  message: string,
  { onFailedRound, maxFailedRounds, failedRoundPause }: FederatedTrainingInput,
): { readonly state: TrainingState; readonly isOver: boolean } {
  const failed = (state.failed ?? 0) + 1;
  const failedInARow = (state.failedInARow ?? 0) + 1;
  const isOver = onFailedRound === 'stop' || failedInARow >= maxFailedRounds;
  const isSkipped = onFailedRound === 'skip';
  const next = isSkipped ? 'it is skipped' : `another one begins in ${failedRoundPause}`;
  return {
    isOver,
    state: {
      ...state,
      failed,
      failedInARow,
      trouble: `Round ${state.rounds + 1} failed (${failedInARow} of at most ${maxFailedRounds} in a row), ${next}: ${message}`,
      ...(isSkipped ? { rounds: state.rounds + 1, gains: [...state.gains, 0].slice(-GAINS_KEPT) } : {}),
    },
  };
}

/**
 * Why training is over; null while it is not. The plateau goes by changes paired on the same device-windows: raw accuracy follows the
 * weather, and would stop training on a storm.
 */
export function reasonToStop(
  { rounds, gains, last }: TrainingState,
  { rounds: atMost, targetAccuracy, plateau }: FederatedTrainingInput,
): FederatedTrainingResult['stopped'] | null {
  if (targetAccuracy !== undefined && last.accuracy !== null && last.accuracy >= targetAccuracy)
    return 'target accuracy';
  if (plateau !== undefined && gains.length >= plateau.rounds) {
    const gained = gains.slice(-plateau.rounds).reduce((sum, gain) => sum + gain, 0);
    if (gained < plateau.gain) return 'plateau';
  }
  return rounds >= atMost ? 'all rounds' : null;
}
