import { FedloopError } from '../../core/contracts/errors';
import { type SiteName } from '../../core/contracts/ids';
import {
  type ContributionSums,
  type PanelScore,
  type PanelSums,
  type RootUpdate,
  type SiteDescription,
  type SiteReport,
} from '../../core/contracts/site-reports';
import { isOfTake, type RoundRef, type SendingStep } from '../../core/contracts/steps';
import { TOPICS } from '../../core/contracts/topics';
import { type ScoreMessage } from '../../core/contracts/updates';
import { type ReceivedChunk } from '../../core/federation/aggregation/update-checks';
import { type Kafka } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import {
  MessagesByAttempt,
  type AttemptMessages,
  type FiledProposal,
  type UnmatchedUpdate,
} from './attempt-messages';

/** The messages of `model-updates` of the latest rounds; one per process. */
export interface UpdateInbox {
  /**
   * Updates that came while an attempt ran, once everything up to the offset has been read: its own, and those of other
   * attempts or rounds without their weights.
   */
  updates(ref: RoundRef, last: number): Promise<readonly ReceivedChunk[]>;
  /** Keys of the updates that came meanwhile and could not be read. */
  unreadable(ref: RoundRef, last: number): Promise<readonly string[]>;
  /** The devices that each site chose, as of the updates that have been read. */
  selected(ref: RoundRef): ReadonlyMap<SiteName, ReadonlySet<string>>;
  scores(ref: RoundRef, last: number): Promise<readonly ScoreMessage[]>;
  /** @throws FedloopError `NotFound` when the proposal was never published. */
  proposal(ref: RoundRef, name: string): Promise<Float32Array>;
  /** The share of its step that a refitted proposal takes, as of the messages that have been read; null for a name without a refit. */
  refitShare(ref: RoundRef, name: string): number | null;
  /** What sites have sent by now, by site name. */
  descriptions(ref: RoundRef): Promise<readonly SiteDescription[]>;
  refitSums(ref: RoundRef): Promise<readonly PanelSums[]>;
  panelScores(ref: RoundRef): Promise<readonly PanelScore[]>;
  rootUpdates(ref: RoundRef): Promise<readonly RootUpdate[]>;
  contributionSums(ref: RoundRef): Promise<readonly ContributionSums[]>;
  close(): Promise<void>;
}

export async function openUpdateInbox(kafka: Kafka, log: Logger): Promise<UpdateInbox> {
  const messages = new MessagesByAttempt();
  const tail = await kafka.tail({
    topic: TOPICS.updates.name,
    from: 'start',
    onRecords(records) {
      for (const record of records) {
        try {
          messages.file(record);
        } catch (cause) {
          log.warn({ offset: record.offset, err: cause }, 'passed over a message of model-updates');
        }
      }
    },
  });
  /** Messages of the attempt, once everything up to the offset `last` has been read. */
  const readTo = async ({ attempt }: RoundRef, last: number): Promise<AttemptMessages> => {
    if (last >= 0) await tail.reached(0, last);
    return messages.asked(attempt);
  };
  const reports = async ({ attempt, takes }: RoundRef): Promise<readonly SiteReport[]> => {
    await tail.sync();
    // Sums of floating-point numbers depend on their order, which must not be the order in which sites finished.
    return [...messages.asked(attempt).reports]
      .filter(([, report]) => isOfTake(report, takes?.[SENT_IN[report.type]]))
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([, report]) => report);
  };
  /** The latest: a retry publishes the same proposal again. */
  const proposalOf = ({ attempt, takes }: RoundRef, name: string): FiledProposal | undefined =>
    messages
      .asked(attempt)
      .proposals.findLast(
        (filed) =>
          filed.name === name &&
          (isOfTake(filed, takes?.aggregate) || (takes?.refit !== undefined && isOfTake(filed, takes.refit))),
      );
  return {
    async updates(ref, last) {
      const filed = await readTo(ref, last);
      return [
        ...filed.updates.filter(({ header }) => isOfTake(header, ref.takes?.train)),
        ...unmatched(filed, ref).filter((update) => typeof update !== 'string'),
      ];
    },
    unreadable: async (ref, last) =>
      unmatched(await readTo(ref, last), ref).filter((update) => typeof update === 'string'),
    selected: ({ attempt, takes }) => selectedIn(messages.asked(attempt), takes?.train),
    scores: async (ref, last) =>
      (await readTo(ref, last)).scores.filter((score) => isOfTake(score, ref.takes?.score)),
    async proposal(ref, name) {
      if (proposalOf(ref, name) === undefined) await tail.sync();
      const proposal = proposalOf(ref, name);
      if (proposal === undefined)
        throw new FedloopError('NotFound', `round ${ref.round} has no proposal named "${name}"`);
      return proposal.weights;
    },
    refitShare: (ref, name) => proposalOf(ref, name)?.refitShare ?? null,
    descriptions: async (ref) => (await reports(ref)).filter((report) => report.type === 'site'),
    refitSums: async (ref) => (await reports(ref)).filter((report) => report.type === 'refit-sums'),
    panelScores: async (ref) => (await reports(ref)).filter((report) => report.type === 'panel-score'),
    rootUpdates: async (ref) => (await reports(ref)).filter((report) => report.type === 'root-update'),
    contributionSums: async (ref) =>
      (await reports(ref)).filter((report) => report.type === 'contribution-sums'),
    close: () => tail.close(),
  };
}

/** The step that sends each kind of report. */
const SENT_IN = {
  site: 'describe',
  'refit-sums': 'sum panels',
  'panel-score': 'score proposals',
  'root-update': 'score',
  'contribution-sums': 'score proposals',
} as const satisfies Record<SiteReport['type'], SendingStep>;

/** Updates that came while a take of training ran, and are not of it. */
function unmatched({ unmatched: filed }: AttemptMessages, { takes }: RoundRef): readonly UnmatchedUpdate[] {
  return filed.flatMap(({ during, update }) => (isOfTake({ take: during }, takes?.train) ? [update] : []));
}

/** The devices that sites chose in a take, and those chosen in none, by sites of an earlier release. */
function selectedIn(
  { selected }: AttemptMessages,
  take: string | undefined,
): ReadonlyMap<SiteName, ReadonlySet<string>> {
  const chosen = new Map<SiteName, Set<string>>();
  for (const [of, sites] of selected) {
    if (!isOfTake({ take: of === '' ? undefined : of }, take)) continue;
    for (const [site, devices] of sites) chosen.set(site, new Set([...(chosen.get(site) ?? []), ...devices]));
  }
  return chosen;
}
