import { type z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { type SiteName } from '../../core/contracts/ids';
import {
  panelScoreSchema,
  panelSumsSchema,
  siteDescriptionSchema,
  type PanelScore,
  type PanelSums,
  type SiteDescription,
  type SiteReport,
} from '../../core/contracts/site-reports';
import { type RoundRef } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import {
  candidateHeaderSchema,
  scoreMessageSchema,
  selectionMessageSchema,
  updateHeaderSchema,
  type ScoreMessage,
  type SelectionMessage,
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
  /** What came while this attempt ran and is of another one, or of none that can be told. */
  readonly unmatched: Unmatched[];
  readonly scores: ScoreMessage[];
  readonly proposals: Map<string, { readonly weights: Float32Array; readonly refitShare: number | null }>;
  /** By key: a retry says the same again. */
  readonly reports: Map<string, SiteReport>;
}

/** An update that no round waits for; its weights are not kept, so that a stray sender costs little. */
type Unmatched =
  | UpdateChunk
  /** Its key, where it could not be read. */
  | string;

/** Unmatched updates of one attempt that are counted: a flood of them must not fill the memory. */
const MAX_UNMATCHED = 1_000;

/** Attempts whose messages are kept: the running one, and one that may still be finishing. */
const ATTEMPTS_KEPT = 2;

/** What `model-updates` has brought for the rounds of late; one per process. */
export interface UpdateInbox {
  /**
   * Updates that came while an attempt ran, once everything up to the offset has been read: its own, and those of other
   * attempts or rounds without their weights.
   */
  updates(ref: RoundRef, last: number): Promise<readonly UpdateChunk[]>;
  /** Keys of the updates that came meanwhile and could not be read. */
  unreadable(ref: RoundRef, last: number): Promise<readonly string[]>;
  /** Whom each site chose, as far as the updates asked for have been read. */
  selected(ref: RoundRef): ReadonlyMap<SiteName, ReadonlySet<string>>;
  scores(ref: RoundRef, last: number): Promise<readonly ScoreMessage[]>;
  /** @throws FedloopError `NotFound` when the proposal was never published. */
  proposal(ref: RoundRef, name: string): Promise<Float32Array>;
  /** How much of its step a refitted proposal takes, as far as messages have been read; null when no refit was made under this name. */
  refitShare(ref: RoundRef, name: string): number | null;
  /** What sites have sent by now, by site name. */
  descriptions(ref: RoundRef): Promise<readonly SiteDescription[]>;
  refitSums(ref: RoundRef): Promise<readonly PanelSums[]>;
  panelScores(ref: RoundRef): Promise<readonly PanelScore[]>;
  close(): Promise<void>;
}

export async function openUpdateInbox(kafka: Kafka, log: Logger): Promise<UpdateInbox> {
  const attempts = new Attempts();
  const of = (attempt: string): AttemptMessages => attempts.of(attempt);
  const tail = await kafka.tail({
    topic: TOPICS.updates.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        try {
          const filed = file(record, of);
          if (filed?.type === 'selection') attempts.begin(filed.attempt);
          if (filed?.type === 'update') attempts.noteSender(filed);
        } catch (cause) {
          log.warn({ offset: record.offset, err: cause }, 'passed over a message of model-updates');
          if (kindOf(record) === 'update') attempts.addUnmatched(keyOf(record));
        }
      }
    },
  });
  const unmatchedOf = async (ref: RoundRef, last: number): Promise<readonly Unmatched[]> => {
    await readTo(tail, last);
    return of(ref.attempt).unmatched;
  };
  const reports = async (ref: RoundRef): Promise<readonly SiteReport[]> => {
    await tail.sync();
    // Sums of floating-point numbers depend on the order: it must not be the order in which sites happened to be done.
    return [...of(ref.attempt).reports]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, report]) => report);
  };
  return {
    async updates(ref, last) {
      const unmatched = await unmatchedOf(ref, last);
      return [...of(ref.attempt).updates, ...unmatched.filter((message) => typeof message !== 'string')];
    },
    async unreadable(ref, last) {
      return (await unmatchedOf(ref, last)).filter((message) => typeof message === 'string');
    },
    selected: (ref) => of(ref.attempt).selected,
    async scores(ref, last) {
      await readTo(tail, last);
      return of(ref.attempt).scores;
    },
    async proposal(ref, name) {
      const known = (): Float32Array | undefined => of(ref.attempt).proposals.get(name)?.weights;
      // One that is there already needs no look at the broker: a second one of the same name is the same.
      if (known() === undefined) await tail.sync();
      const proposal = known();
      if (proposal === undefined)
        throw new FedloopError('NotFound', `round ${ref.round} has no proposal named "${name}"`);
      return proposal;
    },
    refitShare: (ref, name) => of(ref.attempt).proposals.get(name)?.refitShare ?? null,
    descriptions: async (ref) => (await reports(ref)).filter((report) => report.type === 'site'),
    refitSums: async (ref) => (await reports(ref)).filter((report) => report.type === 'refit-sums'),
    panelScores: async (ref) => (await reports(ref)).filter((report) => report.type === 'panel-score'),
    close: () => tail.close(),
  };
}

/** Messages of the latest attempts at rounds. */
class Attempts {
  private readonly known = new Map<string, AttemptMessages>();
  /** Rounds never overlap: the attempt that began last is the one that runs. */
  private running: { readonly attempt: string; readonly messages: AttemptMessages } | undefined;

  of(attempt: string): AttemptMessages {
    const known = this.known.get(attempt);
    if (known !== undefined) return known;
    const made: AttemptMessages = {
      selected: new Map(),
      updates: [],
      unmatched: [],
      scores: [],
      proposals: new Map(),
      reports: new Map(),
    };
    this.known.set(attempt, made);
    const oldest = this.known.keys().next();
    if (this.known.size > ATTEMPTS_KEPT && oldest.done !== true) this.known.delete(oldest.value);
    return made;
  }

  begin(attempt: string): void {
    this.running = { attempt, messages: this.of(attempt) };
  }

  /** An update of another attempt than the one that runs is unmatched; its weights are not kept. */
  noteSender(header: UpdateHeader): void {
    if (header.attempt !== this.running?.attempt) this.addUnmatched({ header, deltas: new Float32Array() });
  }

  addUnmatched(message: Unmatched): void {
    const unmatched = this.running?.messages.unmatched ?? [];
    if (unmatched.length < MAX_UNMATCHED) unmatched.push(message);
  }
}

async function readTo(tail: Tail, last: number): Promise<void> {
  if (last >= 0) await tail.reached(0, last);
}

function keyOf(record: IncomingRecord): string {
  return record.key?.toString('utf8') ?? '';
}

function kindOf(record: IncomingRecord): string {
  return keyOf(record).split('/')[0] ?? '';
}

/** @returns the message where it says who runs or who sends. */
function file(
  record: IncomingRecord,
  of: (attempt: string) => AttemptMessages,
): UpdateHeader | SelectionMessage | undefined {
  if (record.value === null) return undefined;
  switch (kindOf(record)) {
    case 'update': {
      const { header, numbers } = decodeFrame(record.value);
      const known = updateHeaderSchema.parse(header);
      of(known.attempt).updates.push({ header: known, deltas: numbers });
      return known;
    }
    case 'candidate': {
      const { header, numbers } = decodeFrame(record.value);
      const known = candidateHeaderSchema.parse(header);
      of(known.attempt).proposals.set(known.name, { weights: numbers, refitShare: known.refit_share });
      return undefined;
    }
    case 'selection': {
      const message = selectionMessageSchema.parse(JSON.parse(record.value.toString('utf8')));
      const { selected } = of(message.attempt);
      selected.set(message.site, new Set([...(selected.get(message.site) ?? []), ...message.device_id]));
      return message;
    }
    case 'score': {
      const score = scoreMessageSchema.parse(JSON.parse(record.value.toString('utf8')));
      of(score.attempt).scores.push(score);
      return undefined;
    }
    case 'site':
      keep(record, siteDescriptionSchema, of);
      return undefined;
    case 'refit-sums':
      keep(record, panelSumsSchema, of);
      return undefined;
    case 'panel-score':
      keep(record, panelScoreSchema, of);
      return undefined;
    default:
      // Outcomes are the warehouse's; other keys are not ours.
      return undefined;
  }
}

/** The first report under a key counts: whoever has read on must not see another than whoever read before. */
function keep(
  record: IncomingRecord,
  schema: z.ZodType<SiteReport>,
  of: (attempt: string) => AttemptMessages,
): void {
  const report = schema.parse(JSON.parse(record.value?.toString('utf8') ?? ''));
  const { reports } = of(report.attempt);
  const key = keyOf(record);
  if (!reports.has(key)) reports.set(key, report);
}
