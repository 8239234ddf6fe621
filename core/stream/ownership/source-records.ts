import { type Micros, MICROS_PER_MILLI } from '../../contracts/time';
import { type FenceBlock, REJECT_HEADERS, type RejectReason, type Verdict } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { undecodableSentence } from '../../contracts/undecodable';
import { type OutgoingMessage, type RawRecord } from '../../platform/kafka';
import { type PartitionEngine } from '../engine';
import { type HeldEvent } from '../windows/aside-events';
import { refuseBatch } from '../refuse-batch';
import { MAX_REJECTED_BYTES } from '../limits';
import { type OpenedAgain } from '../watermark-resets';

/** Judge a record's event. When the record knows in which buffer its value lies, no view of it is made. */
export function ingestRecord(
  engine: PartitionEngine,
  record: RawRecord,
  recordMicros: number,
  offset: number,
): Verdict | 'aside' {
  if (record.undecodable !== undefined) return refuseBatch(engine);
  const { response, valueStart, valueLength } = record;
  if (response === undefined || valueStart === undefined || valueLength === undefined || valueLength < 0)
    return engine.ingest(record.value, recordMicros, offset);
  return engine.ingest(response, recordMicros, offset, valueStart, valueStart + valueLength);
}

/** The message in `edge-iiot-rejects` for a record that is not windowed. */
export function rejectMessage(
  {
    value,
    offset,
    timestamp,
    undecodable,
  }: Pick<RawRecord, 'value' | 'offset' | 'timestamp' | 'undecodable'>,
  about: {
    readonly partition: number;
    readonly epoch: number;
    readonly reason: RejectReason;
    readonly detail: MalformedDetail | undefined;
    /** How many events of the partition were refused by then, with this one. */
    readonly number: number;
  },
): OutgoingMessage {
  const { partition, epoch, reason, detail, number } = about;
  const bytes = value ?? Buffer.alloc(0);
  return {
    key: `${partition}/${offset}`,
    partition,
    value: bytes.length > MAX_REJECTED_BYTES ? bytes.subarray(0, MAX_REJECTED_BYTES) : bytes,
    headers: {
      [REJECT_HEADERS.reason]: reason,
      [REJECT_HEADERS.partition]: String(partition),
      [REJECT_HEADERS.offset]: String(offset),
      [REJECT_HEADERS.detail]: detail ?? '',
      [REJECT_HEADERS.size]: String(bytes.length),
      [REJECT_HEADERS.epoch]: String(epoch),
      [REJECT_HEADERS.number]: String(number),
      // A batch that cannot be read has no timestamp to be believed.
      ...(undecodable === undefined
        ? { [REJECT_HEADERS.time]: String(timestamp) }
        : {
            [REJECT_HEADERS.lastOffset]: String(undecodable.lastOffset),
            [REJECT_HEADERS.remedy]: undecodableSentence(Number(offset), undecodable),
          }),
    },
  };
}

/** The record of an event that was kept aside. */
export function recordOf({
  offset,
  recordMicros,
  bytes,
}: HeldEvent): Pick<RawRecord, 'offset' | 'timestamp' | 'value'> {
  return { offset, timestamp: recordMicros / MICROS_PER_MILLI, value: Buffer.from(bytes) };
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
