import { type FenceBlock, REJECT_HEADERS, type RejectReason, type Verdict } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { type Micros } from '../../contracts/time';
import { type OutgoingMessage, type RawRecord } from '../../platform/kafka';
import { type PartitionEngine } from '../engine';
import { MAX_REJECTED_BYTES } from '../limits';
import { type OpenedAgain } from '../watermark-resets';

/** Judge a record's event. When the record knows in which buffer its value lies, no view of it is made. */
export function ingestRecord(
  engine: PartitionEngine,
  record: RawRecord,
  recordMicros: number,
  offset: number,
): Verdict {
  const { response, valueStart, valueLength } = record;
  if (response === undefined || valueStart === undefined || valueLength === undefined || valueLength < 0)
    return engine.ingest(record.value, recordMicros, offset);
  return engine.ingest(response, recordMicros, offset, valueStart, valueStart + valueLength);
}

/** The message in `edge-iiot-rejects` for a record that is not windowed. */
export function rejectMessage(
  { value, offset, timestamp }: RawRecord,
  about: {
    readonly partition: number;
    readonly epoch: number;
    readonly reason: RejectReason;
    readonly detail: MalformedDetail | undefined;
  },
): OutgoingMessage {
  const { partition, epoch, reason, detail } = about;
  const bytes = value ?? Buffer.alloc(0);
  return {
    key: `${partition}/${offset}`,
    partition,
    value: bytes.length > MAX_REJECTED_BYTES ? bytes.subarray(0, MAX_REJECTED_BYTES) : bytes,
    timestampMillis: Number(timestamp),
    headers: {
      [REJECT_HEADERS.reason]: reason,
      [REJECT_HEADERS.partition]: String(partition),
      [REJECT_HEADERS.offset]: String(offset),
      [REJECT_HEADERS.detail]: detail ?? '',
      [REJECT_HEADERS.size]: String(bytes.length),
      [REJECT_HEADERS.epoch]: String(epoch),
    },
  };
}

/** The fence behind which the windows after a reset of the watermark come once more. */
export function resetFence(
  { before, after }: OpenedAgain,
  at: { readonly partition: number; readonly epoch: number; readonly windowMicros: Micros },
): string {
  const { partition, epoch, windowMicros } = at;
  const reset = { from: before - windowMicros, to: after - windowMicros };
  return JSON.stringify({ type: 'fence', partition, epoch, reset } satisfies FenceBlock);
}
