import { randomUUID } from 'node:crypto';
import { FedloopError } from '../../core/contracts/errors';
import { adaptiveClipOf, type PrivacyBooking, type PrivacySettings } from '../../core/contracts/privacy';
import { sentIn, type RoundRef } from '../../core/contracts/steps';
import { nextClipNorm } from '../../core/federation/aggregation/adaptive-clip';
import { costOf, epsilonAfter, type RoundNoise } from '../../core/federation/aggregation/privacy';
import { decodeState } from '../../core/federation/strategies/server-state';
import { norm } from '../../core/federation/vectors';
import { type FlatWeights } from '../../core/model/types';
import { logDeployment, type Deployments } from '../../core/model/deployments';
import { type Producer } from '../../core/platform/kafka';
import { unrepeatableNormals } from '../../core/platform/random';

type Log = Pick<Deployments, 'privacyBookings' | 'serverState' | 'sync'>;

/** Noise that has been paid for. */
export interface BookedNoise {
  readonly noise: RoundNoise;
  readonly booking: PrivacyBooking;
}

/**
 * Before a round trains: whether its budget has room for it.
 * @param deployments as of now
 * @throws FedloopError `PrivacyBudgetSpent`
 */
export function requireBudget(deployments: Log, privacy: PrivacySettings): void {
  epsilonAfter(spentBefore(deployments), privacy);
}

/** Whether a round of the fleet has booked noise: what is released without any would break what its ε promises. */
export function releasesWithNoise(deployments: Pick<Deployments, 'privacyBookings'>): boolean {
  return deployments.privacyBookings().length > 0;
}

/**
 * Book what a round's noise costs, and only then hand it out. Every call books, and its noise is new: an `aggregate` step that is tried again, or
 * whose round is reset, pays again, as the same updates may have been published with the noise of the try before.
 * @param deltas updates before clipping; their norms decide the next norm, where it adapts
 * @throws FedloopError `PrivacyBudgetSpent`, also where another round has spent it since this one began
 */
export async function bookNoise(
  { producer, deployments }: { readonly producer: Producer; readonly deployments: Log },
  ref: RoundRef,
  privacy: PrivacySettings,
  deltas: readonly FlatWeights[],
): Promise<BookedNoise> {
  await deployments.sync();
  const epsilon = epsilonAfter(spentBefore(deployments), privacy);
  const normal = unrepeatableNormals();
  const adaptive = adaptiveClipOf(privacy);
  const clipNorm = clipNormOf(deployments, privacy);
  const booking: PrivacyBooking = {
    type: 'privacy-booking',
    ...sentIn(ref, 'aggregate'),
    draw: randomUUID(),
    inverse_squares: costOf(privacy),
    clip_norm: clipNorm,
    next_clip: adaptive && {
      quantile: adaptive.quantile,
      norm: nextClipNorm(clipNorm, deltas.map(norm), adaptive, normal),
    },
    delta: privacy.delta,
    epsilon: Number.isFinite(epsilon) ? epsilon : null,
    at: new Date().toISOString(),
  };
  await logDeployment(producer, [booking]);
  await deployments.sync();
  if (!deployments.privacyBookings().some(({ draw }) => draw === booking.draw))
    throw new FedloopError(
      'InvalidConfig',
      'what the round spends of its privacy could not be booked: model-deployments does not have it',
    );
  return { noise: { noiseMultiplier: privacy.noiseMultiplier, clipNorm, normal }, booking };
}

/** Σ 1/z² of all rounds so far: what is booked, and what rounds under earlier releases left in the strategy's state. */
function spentBefore(deployments: Log): number {
  const stored = deployments.serverState('current');
  const unbooked = stored === undefined ? 0 : decodeState(stored.state).privacySpent;
  return deployments
    .privacyBookings()
    .reduce((sum, { inverse_squares: inverseSquares }) => sum + inverseSquares, unbooked);
}

/** An adaptive norm goes on from the last booking for the same quantile, whatever became of its round. */
function clipNormOf(deployments: Log, privacy: PrivacySettings): number {
  if (typeof privacy.clipNorm === 'number') return privacy.clipNorm;
  const adaptive = adaptiveClipOf(privacy);
  const last = deployments
    .privacyBookings()
    .findLast(({ next_clip: next }) => next !== null && next.quantile === adaptive?.quantile);
  return last?.next_clip?.norm ?? adaptive?.initial ?? NaN;
}
