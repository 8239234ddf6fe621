import { FedloopError } from '../../core/contracts/errors';
import { type SiteName } from '../../core/contracts/ids';
import { type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import {
  candidateHeaderSchema,
  scoreMessageSchema,
  selectionMessageSchema,
  updateHeaderSchema,
  type ScoreMessage,
  type UpdateHeader,
} from '../../core/contracts/updates';
import { decodeFrame } from '../../core/platform/frames';
import { type IncomingRecord, type Kafka, type Tail } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';

/** A chunk of local updates as it came in: `deltas` is [devices, parameters]. */
export interface UpdateChunk {
  readonly header: UpdateHeader;
  readonly deltas: Float32Array;
}

interface AttemptMessages {
  readonly selected: Map<SiteName, Set<string>>;
  readonly updates: UpdateChunk[];
  readonly scores: ScoreMessage[];
  readonly proposals: Map<string, Float32Array>;
}

/** Attempts whose messages are kept: the running one, and one that may still be finishing. */
const ATTEMPTS_KEPT = 2;

/** What `model-updates` has brought for the rounds of late; one per process. */
export interface UpdateInbox {
  /** Updates of an attempt, once everything that the offsets point at has been read. */
  updates(ref: RoundRef, last: readonly number[]): Promise<readonly UpdateChunk[]>;
  /** Whom each site chose, as far as the updates asked for have been read. */
  selected(ref: RoundRef): ReadonlyMap<SiteName, ReadonlySet<string>>;
  scores(ref: RoundRef, last: readonly number[]): Promise<readonly ScoreMessage[]>;
  /** @throws FedloopError `NotFound` when the proposal was never published. */
  proposal(ref: RoundRef, name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

export async function openUpdateInbox(kafka: Kafka, log: Logger): Promise<UpdateInbox> {
  const attempts = new Map<string, AttemptMessages>();
  const of = (attempt: string): AttemptMessages => {
    const known = attempts.get(attempt);
    if (known !== undefined) return known;
    const made: AttemptMessages = { selected: new Map(), updates: [], scores: [], proposals: new Map() };
    attempts.set(attempt, made);
    const oldest = attempts.keys().next();
    if (attempts.size > ATTEMPTS_KEPT && oldest.done !== true) attempts.delete(oldest.value);
    return made;
  };
  const tail = await kafka.tail({
    topic: TOPICS.updates.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        try {
          file(record, of);
        } catch (cause) {
          log.warn({ offset: record.offset, err: cause }, 'passed over a message of model-updates');
        }
      }
    },
  });
  return {
    async updates(ref, last) {
      await readTo(tail, last);
      return of(ref.attempt).updates;
    },
    selected: (ref) => of(ref.attempt).selected,
    async scores(ref, last) {
      await readTo(tail, last);
      return of(ref.attempt).scores;
    },
    async proposal(ref, name) {
      await tail.sync();
      const weights = of(ref.attempt).proposals.get(name);
      if (weights === undefined)
        throw new FedloopError('NotFound', `round ${ref.round} has no proposal named "${name}"`);
      return weights;
    },
    close: () => tail.close(),
  };
}

async function readTo(tail: Tail, last: readonly number[]): Promise<void> {
  await Promise.all(last.filter((offset) => offset >= 0).map((offset) => tail.reached(0, offset)));
}

function file(record: IncomingRecord, of: (attempt: string) => AttemptMessages): void {
  if (record.value === null) return;
  switch (record.key?.toString('utf8').split('/')[0] ?? '') {
    case 'update': {
      const { header, numbers } = decodeFrame(record.value);
      const known = updateHeaderSchema.parse(header);
      of(known.attempt).updates.push({ header: known, deltas: numbers });
      return;
    }
    case 'candidate': {
      const { header, numbers } = decodeFrame(record.value);
      const known = candidateHeaderSchema.parse(header);
      of(known.attempt).proposals.set(known.name, numbers);
      return;
    }
    case 'selection': {
      const { attempt, site, device_id } = selectionMessageSchema.parse(
        JSON.parse(record.value.toString('utf8')),
      );
      const { selected } = of(attempt);
      selected.set(site, new Set([...(selected.get(site) ?? []), ...device_id]));
      return;
    }
    case 'score': {
      const score = scoreMessageSchema.parse(JSON.parse(record.value.toString('utf8')));
      of(score.attempt).scores.push(score);
      return;
    }
    default:
      // Outcomes are the warehouse's; other keys are not ours.
      return;
  }
}
