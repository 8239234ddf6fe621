import { type VersionId } from '../../core/contracts/ids';
import { type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { updateKey, type LeftOutMessage, type OutcomeMessage } from '../../core/contracts/updates';
import { type Proposal, type RealAccuracy } from '../../core/federation/strategies/strategy';
import { type CheckedUpdate, type LeftOutDevice } from '../../core/federation/aggregation/update-checks';
import { type Producer } from '../../core/platform/kafka';

/** Devices in one message: about 100 bytes each, well below a record's limit. */
const DEVICES_PER_MESSAGE = 2_000;

/** Say which updates did not pass the checks, and why; a failed round says it too. */
export async function publishLeftOut(
  producer: Producer,
  { round, attempt }: RoundRef,
  leftOut: readonly LeftOutDevice[],
): Promise<void> {
  const kinds = new Map<string, LeftOutDevice & { copies: number }>();
  for (const update of leftOut) {
    const key = JSON.stringify([update.deviceId, update.site, update.reason]);
    const known = kinds.get(key) ?? { ...update, copies: 0 };
    known.copies += 1;
    kinds.set(key, known);
  }
  const messages = portions([...kinds.values()]).map((part): LeftOutMessage => ({
    type: 'left-out',
    round,
    attempt,
    device_id: part.map(({ deviceId }) => deviceId),
    site: part.map(({ site }) => site),
    reason: part.map(({ reason }) => reason),
    copies: part.map(({ copies }) => copies),
  }));
  await producer.send(
    TOPICS.updates.name,
    messages.map((message, index) => ({
      key: updateKey('left-out', round, index),
      value: JSON.stringify(message),
    })),
  );
}

export interface Outcomes {
  /** What was made of the updates; null when the round failed for too few. */
  readonly version: VersionId | null;
  readonly updates: readonly CheckedUpdate[];
  /** One entry an update; empty where nothing was scored. */
  readonly real: readonly RealAccuracy[];
  readonly leftOut: readonly LeftOutDevice[];
  readonly proposals: readonly Proposal[];
}

/** Say what became of each device: its real accuracy, its share, or why it has none. */
export async function publishOutcomes(
  producer: Producer,
  { round, attempt }: RoundRef,
  { version, updates, real, leftOut, proposals }: Outcomes,
): Promise<void> {
  // With two candidates the one that cannot leave anybody out tells the weights; the other's reasons stand beside them.
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
  const messages = portions(rows).map((part): OutcomeMessage => ({
    type: 'outcome',
    round,
    attempt,
    version,
    device_id: part.map(({ deviceId }) => deviceId),
    site: part.map(({ site }) => site),
    rows: part.map((row) => row.rows),
    self_reported_accuracy: part.map(({ selfReported }) => selfReported),
    real_accuracy: part.map((row) => row.real),
    weight: part.map(({ weight }) => weight),
    left_out: part.map((row) => row.leftOut),
  }));
  await producer.send(
    TOPICS.updates.name,
    messages.map((message, index) => ({
      key: updateKey('outcome', round, index),
      value: JSON.stringify(message),
    })),
  );
}

function portions<Row>(rows: readonly Row[]): Row[][] {
  return Array.from({ length: Math.ceil(rows.length / DEVICES_PER_MESSAGE) }, (_, index) =>
    rows.slice(index * DEVICES_PER_MESSAGE, (index + 1) * DEVICES_PER_MESSAGE),
  );
}
