import { FedloopError } from '../../contracts/errors';
import { type SiteName, type VersionId } from '../../contracts/ids';
import { isOfTake } from '../../contracts/steps';
import { countReasons, type LeftOutReason, type UpdateHeader } from '../../contracts/updates';
import { type LocalUpdate } from '../strategies/strategy';
import { isFiniteVector } from '../vectors';

/** A received chunk of local updates: `deltas` is [devices, parameters] where the sender kept to the contract. */
export interface ReceivedChunk {
  readonly header: UpdateHeader;
  readonly deltas: Float32Array;
}

/** What a round expects of updates. */
export interface ExpectedUpdates {
  readonly round: number;
  readonly attempt: string;
  /** Of the round's training; undefined where the round began under an earlier release. */
  readonly take?: string | undefined;
  readonly baseVersion: VersionId;
  readonly parameters: number;
  /** Targets that each device trains on, at most. */
  readonly windows: number;
  /** Whether the round chose this device of this site to train. */
  readonly isSelected: (site: SiteName, deviceId: string) => boolean;
}

export interface CheckedUpdate extends LocalUpdate {
  readonly site: SiteName;
  /** Its chunk of the site, and place in it. */
  readonly chunk: number;
  readonly place: number;
}

export interface LeftOutDevice {
  readonly deviceId: string;
  readonly site: SiteName;
  readonly reason: LeftOutReason;
}

export interface CheckedUpdates {
  readonly good: readonly CheckedUpdate[];
  readonly leftOut: readonly LeftOutDevice[];
}

/**
 * Separate good updates from those that must not count: for another round or base, of the wrong shape, from a device that was not chosen,
 * not finite, sent twice (the first good one counts), or with claims that nothing could have measured. Devices that sites left out themselves are added. The order stays.
 */
export function checkUpdates(chunks: readonly ReceivedChunk[], expected: ExpectedUpdates): CheckedUpdates {
  const good: CheckedUpdate[] = [];
  const leftOut: LeftOutDevice[] = [];
  const seen = new Set<string>();
  const leftOutBySite = new Set<string>();
  for (const { header, deltas } of chunks) {
    const { site, chunk, parameters } = header;
    header.devices.forEach((device, place) => {
      const { device_id: deviceId, rows, base_loss: baseLoss, self_reported_loss: loss } = device;
      const selfReportedAccuracy = device.self_reported_accuracy;
      const delta = deltas.subarray(place * parameters, (place + 1) * parameters);
      const claims = [rows, selfReportedAccuracy, loss, baseLoss];
      const reason: LeftOutReason | null = !isOfRound(header, expected)
        ? 'wrong-round'
        : parameters !== expected.parameters || deltas.length !== parameters * header.devices.length
          ? 'wrong-shape'
          : !expected.isSelected(site, deviceId)
            ? 'not-selected'
            : !isFiniteVector(delta) || !isFiniteVector(claims)
              ? 'not-finite'
              : seen.has(deviceId)
                ? 'sent-twice'
                : loss >= 0 && isPossibleClaim({ rows, selfReportedAccuracy, baseLoss }, expected.windows)
                  ? null
                  : 'impossible-claim';
      if (reason !== null) {
        leftOut.push({ deviceId, site, reason });
        return;
      }
      seen.add(deviceId);
      good.push({ deviceId, site, chunk, place, delta, rows, selfReportedAccuracy, baseLoss });
    });
    // A site that retries leaves the same devices out again.
    for (const { device_id: deviceId, reason } of isOfRound(header, expected) ? header.left_out : []) {
      if (!leftOutBySite.has(deviceId)) leftOut.push({ deviceId, site, reason });
      leftOutBySite.add(deviceId);
    }
  }
  return { good, leftOut };
}

/**
 * Whether a device can have measured what it claims: no more rows than the round trains on (strategies weigh by them), a share as its
 * accuracy, and a loss that is not negative.
 */
export function isPossibleClaim(
  { rows, selfReportedAccuracy, baseLoss }: Pick<LocalUpdate, 'rows' | 'selfReportedAccuracy' | 'baseLoss'>,
  windows: number,
): boolean {
  return (
    rows >= 0 && rows <= windows && selfReportedAccuracy >= 0 && selfReportedAccuracy <= 1 && baseLoss >= 0
  );
}

function isOfRound(header: UpdateHeader, { round, attempt, take, baseVersion }: ExpectedUpdates): boolean {
  return (
    header.round === round &&
    header.attempt === attempt &&
    isOfTake(header, take) &&
    header.base_version === baseVersion
  );
}

/** @throws FedloopError `TooFewUpdates` saying why the others do not count. */
export function requireUpdates({ good, leftOut }: CheckedUpdates, minUpdates: number): void {
  const needed = Math.max(minUpdates, 1);
  if (good.length >= needed) return;
  const reasons = Object.entries(countReasons(leftOut)).map(([reason, count]) => `${count} ${reason}`);
  const message = `the round has ${good.length} good updates but needs ${needed}; left out: ${reasons.join(', ') || 'none'}`;
  throw new FedloopError('TooFewUpdates', message, {
    hint: 'The champion stays. Ask for more participants, or lower minUpdates.',
  });
}
