import { type z } from 'zod';
import { type SiteName } from '../../core/contracts/ids';
import {
  contributionSumsSchema,
  panelScoreSchema,
  panelSumsSchema,
  rootUpdateSchema,
  siteDescriptionSchema,
  type SiteReport,
} from '../../core/contracts/site-reports';
import {
  candidateHeaderSchema,
  scoreMessageSchema,
  selectionMessageSchema,
  updateHeaderSchema,
  type ScoreMessage,
  type SelectionMessage,
} from '../../core/contracts/updates';
import { isOfTake } from '../../core/contracts/steps';
import { type ReceivedChunk } from '../../core/federation/aggregation/update-checks';
import { decodeFrame } from '../../core/platform/frames';
import { type IncomingRecord } from '../../core/platform/kafka';

/** An update that no step waits for. Its weights are not kept, so that an unknown sender costs little. */
export type UnmatchedUpdate =
  | ReceivedChunk
  /** Its key, where it could not be read. */
  | string;

/** A proposal's weights. */
export interface FiledProposal {
  readonly name: string;
  readonly take: string | undefined;
  readonly weights: Float32Array;
  readonly refitShare: number | null;
}

/** What one attempt at a round has sent. */
export interface AttemptMessages {
  /** Devices that sites chose, by the take of training; '' for none. */
  readonly selected: Map<string, Map<SiteName, Set<string>>>;
  readonly updates: ReceivedChunk[];
  /** Updates that arrived while a take of this attempt trained, and belong to another one or cannot be read. */
  readonly unmatched: { readonly during: string | undefined; readonly update: UnmatchedUpdate }[];
  readonly scores: ScoreMessage[];
  /** The latest of a name and take counts. */
  readonly proposals: FiledProposal[];
  /** By key and take: the first report under them counts, so that all readers see the same one. */
  readonly reports: Map<string, SiteReport>;
  /** Devices in `unmatched`. */
  unmatchedDevices: number;
  /** Bytes of the messages that came before anybody expected one. */
  unexpectedBytes: number;
}

/** Unmatched updates of one attempt that are counted, and devices in them: a flood of them must not fill the memory. */
const MAX_UNMATCHED = 1_000;
const MAX_UNMATCHED_DEVICES = 100_000;

/**
 * Bytes that are kept of an attempt while no site has chosen its devices and no step has asked for it. Until then sites only describe themselves, in
 * some kilobytes each; a flood of messages of no round must not fill the memory.
 */
const MAX_UNEXPECTED_BYTES = 32 * 1024 * 1024;

/** Attempts whose messages are kept: the running one, and one that may still be finishing. */
const ATTEMPTS_KEPT = 2;

/** The messages of `model-updates`, sorted by the attempt that they belong to. */
export class MessagesByAttempt {
  private readonly attempts = new Map<string, AttemptMessages>();
  /** Rounds never overlap: the attempt that began last is the running one. */
  private running: { readonly attempt: string; readonly take: string | undefined } | undefined;
  /** Attempts whose steps have asked for messages, the latest last. */
  private readonly known = new Set<string>();

  /** For a step of that attempt, which is therefore no forged one: messages of others do not push it out from then on. */
  asked(attempt: string): AttemptMessages {
    this.known.delete(attempt);
    this.known.add(attempt);
    const [oldest] = this.known;
    if (this.known.size > ATTEMPTS_KEPT && oldest !== undefined) this.known.delete(oldest);
    return this.of(attempt);
  }

  private of(attempt: string): AttemptMessages {
    const known = this.attempts.get(attempt);
    if (known !== undefined) return known;
    const made: AttemptMessages = {
      selected: new Map(),
      updates: [],
      unmatched: [],
      scores: [],
      proposals: [],
      reports: new Map(),
      unmatchedDevices: 0,
      unexpectedBytes: 0,
    };
    this.attempts.set(attempt, made);
    // Never the running one, nor one that a step has asked for: messages of unknown attempts must not push them out.
    const oldest = [...this.attempts.keys()].find(
      (one) => one !== this.running?.attempt && !this.known.has(one),
    );
    if (this.attempts.size > ATTEMPTS_KEPT + this.known.size && oldest !== undefined)
      this.attempts.delete(oldest);
    return made;
  }

  /** @throws what a schema or the frame finds wrong with the record; an update counts as unmatched then. */
  file(record: IncomingRecord): void {
    try {
      this.read(record);
    } catch (thrown) {
      if (kindOf(record) === 'update') this.addUnmatched(keyOf(record));
      throw thrown;
    }
  }

  private read(record: IncomingRecord): void {
    const { value } = record;
    if (value === null) return;
    switch (kindOf(record)) {
      case 'update': {
        const { header, numbers } = decodeFrame(value);
        const known = updateHeaderSchema.parse(header);
        this.keeping(known.attempt, value)?.updates.push({ header: known, deltas: numbers });
        if (known.attempt !== this.running?.attempt || !isOfTake(known, this.running.take))
          this.addUnmatched({ header: known, deltas: new Float32Array() });
        return;
      }
      case 'candidate': {
        const { header, numbers } = decodeFrame(value);
        const { attempt, take, name, refit_share: refitShare } = candidateHeaderSchema.parse(header);
        this.keeping(attempt, value)?.proposals.push({ name, take, weights: numbers, refitShare });
        return;
      }
      case 'selection': {
        this.select(parse(selectionMessageSchema, value));
        return;
      }
      case 'score': {
        const score = parse(scoreMessageSchema, value);
        this.keeping(score.attempt, value)?.scores.push(score);
        return;
      }
      case 'site':
        this.keepFirst(keyOf(record), parse(siteDescriptionSchema, value), value);
        return;
      case 'refit-sums':
        this.keepFirst(keyOf(record), parse(panelSumsSchema, value), value);
        return;
      case 'panel-score':
        this.keepFirst(keyOf(record), parse(panelScoreSchema, value), value);
        return;
      case 'contribution-sums':
        this.keepFirst(keyOf(record), parse(contributionSumsSchema, value), value);
        return;
      case 'root-update':
        this.keepFirst(keyOf(record), parse(rootUpdateSchema, value), value);
        return;
      default:
      // Outcomes are the warehouse's; other keys are not ours.
    }
  }

  private select({ attempt, take, site, device_id: devices }: SelectionMessage): void {
    const { selected } = this.of(attempt);
    const ofTake = selected.get(take ?? '') ?? new Map<SiteName, Set<string>>();
    selected.set(take ?? '', ofTake);
    ofTake.set(site, new Set([...(ofTake.get(site) ?? []), ...devices]));
    this.running = { attempt, take };
  }

  private addUnmatched(update: UnmatchedUpdate): void {
    if (this.running === undefined) return;
    const running = this.of(this.running.attempt);
    const devices =
      typeof update === 'string' ? 1 : update.header.devices.length + update.header.left_out.length;
    const isFull = running.unmatchedDevices + devices > MAX_UNMATCHED_DEVICES;
    if (isFull || running.unmatched.length >= MAX_UNMATCHED) return;
    running.unmatchedDevices += devices;
    running.unmatched.push({ during: this.running.take, update });
  }

  private keepFirst(key: string, report: SiteReport, value: Buffer): void {
    const reports = this.keeping(report.attempt, value)?.reports;
    const own = `${key}\n${report.take ?? ''}`;
    if (reports?.has(own) === false) reports.set(own, report);
  }

  /** What its attempt has sent, to keep a message in; undefined where nobody expects one and too many came. */
  private keeping(attempt: string, value: Buffer): AttemptMessages | undefined {
    const messages = this.of(attempt);
    if (messages.selected.size > 0 || this.known.has(attempt)) return messages;
    messages.unexpectedBytes += value.length;
    return messages.unexpectedBytes > MAX_UNEXPECTED_BYTES ? undefined : messages;
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, value: Buffer): z.infer<Schema> {
  return schema.parse(JSON.parse(value.toString('utf8')));
}

function keyOf(record: IncomingRecord): string {
  return record.key?.toString('utf8') ?? '';
}

function kindOf(record: IncomingRecord): string {
  return keyOf(record).split('/')[0] ?? '';
}
