import { type VersionId } from '../../core/contracts/ids';
import { type ContributionMessage } from '../../core/contracts/contribution';
import { sentIn, type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { updateKey, type LeftOutMessage, type OutcomeMessage } from '../../core/contracts/updates';
import { type Proposal, type RealAccuracy } from '../../core/federation/strategies/strategy';
import { type CheckedUpdate, type LeftOutDevice } from '../../core/federation/aggregation/update-checks';
import { type Producer } from '../../core/platform/kafka';

/** Devices in one message: about 100 bytes each, well below a record's limit. */
const DEVICES_PER_MESSAGE = 2_000;

/** Publish which updates of a training did not pass the checks, and why; also for a round that fails. */
export async function publishLeftOut(
  producer: Producer,
  ref: RoundRef,
  leftOut: readonly LeftOutDevice[],
): Promise<void> {
  const kinds = new Map<string, LeftOutDevice & { copies: number }>();
  for (const update of leftOut) {
    const key = JSON.stringify([update.deviceId, update.site, update.reason]);
    const known = kinds.get(key) ?? { ...update, copies: 0 };
    known.copies += 1;
    kinds.set(key, known);
  }
  await sendPortions(producer, [...kinds.values()], (part): LeftOutMessage => ({
    type: 'left-out',
    ...sentIn(ref, 'train'),
    device_id: part.map(({ deviceId }) => deviceId),
    site: part.map(({ site }) => site),
    reason: part.map(({ reason }) => reason),
    copies: part.map(({ copies }) => copies),
  }));
}

export interface Outcomes {
  /** The version made of the updates; null when the round failed for too few. */
  readonly version: VersionId | null;
  readonly updates: readonly CheckedUpdate[];
  /** One entry an update; empty where nothing was scored. */
  readonly real: readonly RealAccuracy[];
  readonly leftOut: readonly LeftOutDevice[];
  readonly proposals: readonly Proposal[];
}

/** Publish the outcome of each device of a training: its real accuracy, its share, or why it has none. */
export async function publishOutcomes(
  producer: Producer,
  ref: RoundRef,
  { version, updates, real, leftOut, proposals }: Outcomes,
): Promise<void> {
  // Of two candidates the responsive one, which leaves no update out, gives the weights; the steady one's reasons stand beside them.
  const weighing = proposals.find(({ role }) => role === 'responsive') ?? proposals[0];
  const choosing = proposals.find(({ role }) => role === 'steady') ?? proposals[0];
  const good = new Set(updates.map(({ deviceId }) => deviceId));
  const rows = [
    ...updates.map((update, index) => ({
      deviceId: update.deviceId,
      site: update.site,
      rows: update.rows,
      selfReported: update.selfReportedAccuracy,
      real: real[index]?.long ?? null,
      weight: weighing?.weights[index] ?? 0,
      leftOut: choosing?.leftOut[index] ?? null,
    })),
    ...leftOut
      .filter(({ deviceId }) => !good.has(deviceId))
      .map(({ deviceId, site, reason }) => ({
        deviceId,
        site,
        rows: 0,
        selfReported: null,
        real: null,
        weight: 0,
        leftOut: reason,
      })),
  ];
  await sendPortions(producer, rows, (part): OutcomeMessage => ({
    type: 'outcome',
    ...sentIn(ref, 'train'),
    version,
    device_id: part.map(({ deviceId }) => deviceId),
    site: part.map(({ site }) => site),
    rows: part.map((row) => row.rows),
    self_reported_accuracy: part.map(({ selfReported }) => selfReported),
    real_accuracy: part.map((row) => row.real),
    weight: part.map(({ weight }) => weight),
    left_out: part.map((row) => row.leftOut),
  }));
}

/** Send rows to `model-updates`, in messages of at most 2,000. */
export async function sendPortions<Row>(
  producer: Producer,
  rows: readonly Row[],
  messageOf: (part: readonly Row[]) => LeftOutMessage | OutcomeMessage | ContributionMessage,
): Promise<void> {
  const portions = Array.from({ length: Math.ceil(rows.length / DEVICES_PER_MESSAGE) }, (_, index) =>
    messageOf(rows.slice(index * DEVICES_PER_MESSAGE, (index + 1) * DEVICES_PER_MESSAGE)),
  );
  await producer.send(
    TOPICS.updates.name,
    portions.map((message, index) => ({
      key: updateKey(message.type, message.round, index),
      value: JSON.stringify(message),
    })),
  );
}
