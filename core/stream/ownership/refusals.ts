import { type RejectReason } from '../../contracts/blocks';
import { type MalformedDetail } from '../../contracts/events';
import { TOPICS } from '../../contracts/topics';
import { undecodableSentence } from '../../contracts/undecodable';
import { type RawRecord } from '../../platform/kafka';
import { type Logger } from '../../platform/log';
import { type PartitionEngine } from '../engine';
import { refusedEvents } from '../windows/counts';
import { type Outbox } from './outbox';
import { recordOf, rejectMessage } from './source-records';

interface RefusalParts {
  readonly outbox: Pick<Outbox, 'push'>;
  readonly metrics: { readonly malformed: { inc(labels: { readonly detail: MalformedDetail }): void } };
  readonly log: Pick<Logger, 'error'>;
}

/** What an owner of a partition writes of refused events, numbered on from those that its predecessors wrote. */
export class Refusals {
  private number: number;

  /** @param engine as its checkpoint has it: each event that it counts as refused has its reject. */
  constructor(
    private readonly engine: PartitionEngine,
    private readonly epoch: number,
    private readonly parts: RefusalParts,
  ) {
    this.number = refusedEvents(engine.counts);
  }

  /** Refuse an event that was just judged. */
  refuse(
    record: Pick<RawRecord, 'offset' | 'timestamp' | 'value' | 'undecodable'>,
    reason: RejectReason,
    detail: MalformedDetail | undefined,
  ): void {
    const { epoch, parts } = this;
    const { partition } = this.engine;
    const { undecodable, offset } = record;
    if (undecodable) parts.log.error({ partition }, undecodableSentence(Number(offset), undecodable));
    if (reason === 'malformed' && detail !== undefined) parts.metrics.malformed.inc({ detail });
    this.number += 1;
    const about = { partition, epoch, reason, detail, number: this.number };
    parts.outbox.push(TOPICS.rejects.name, rejectMessage(record, about));
  }

  /** Events that were kept aside, and are in no window. */
  refuseSettled(): void {
    for (const { event, verdict, detail } of this.engine.ahead.takeSettled())
      this.refuse(recordOf(event), verdict, detail);
  }
}
