import { z } from 'zod';
import { type ContributionPlan } from './contribution';
import { decisionSchema, type Decision } from './decisions';
import { type CandidateRole, type Lineage } from './deployments';
import { type Feedback } from './feedback';
import { roundNumberSchema, versionIdSchema, type SiteName, type VersionId } from './ids';
import { type PrivacySettings } from './privacy';
import {
  type FederatedRoundInput,
  type FederatedRoundResult,
  type GateSettings,
  type LoopParts,
  type VersionScore,
} from './rounds';
import { type OwnStrategyName } from './strategies';
import { type SiteDescription } from './site-reports';
import { type Micros } from './time';
import { type ReasonCounts } from './updates';

/**
 * Values that the steps of a round pass to one another through Temporal: references, counts and small sums, never weights,
 * readings or lists of devices.
 */

/** Steps of a round that send messages to `model-updates` for later ones. */
export const SENDING_STEPS = [
  'describe',
  'train',
  'score',
  'aggregate',
  'sum panels',
  'refit',
  'score proposals',
] as const;
export type SendingStep = (typeof SENDING_STEPS)[number];

/**
 * One try at a round: `attempt` is the id of the run that began it, which a reset leaves as it is, so that messages of a cancelled try are never mixed
 * in. A reset repeats steps of the same attempt; so each step has a `take`, drawn when it begins. Those before the point of the reset
 * stay, and so does what was sent under them; those behind it are drawn anew.
 */
export interface RoundRef {
  readonly round: number;
  readonly attempt: string;
  /** Absent in a round that began under an earlier release. */
  readonly takes?: Readonly<Partial<Record<SendingStep, string>>>;
}

/** What a message of this step begins with. */
export function sentIn(
  { round, attempt, takes }: RoundRef,
  step: SendingStep,
): { readonly round: number; readonly attempt: string; readonly take?: string } {
  const take = takes?.[step];
  return { round, attempt, ...(take === undefined ? {} : { take }) };
}

/** Whether a message was sent in this step's take; one without, from a site of an earlier release, is taken for one of it. */
export function isOfTake(
  { take }: { readonly take?: string | undefined },
  wanted: string | undefined,
): boolean {
  return take === undefined || wanted === undefined || take === wanted;
}

export interface AskInput {
  /** Absent in a round that began under an earlier release. */
  readonly attempt?: string;
  /** Of a round that adds noise: whether its budget has room for it. */
  readonly privacy?: PrivacySettings;
  /** Of a round with a strategy of one's own: whether it can be loaded, and takes these settings. */
  readonly own?: {
    readonly strategy: OwnStrategyName;
    readonly settings: FederatedRoundInput['strategySettings'];
  };
}

export interface AskResult {
  readonly round: number;
  /** Null before the first round: v0 is not made yet. */
  readonly champion: VersionId | null;
  /** The champion's live accuracy; null while it has not been measured. */
  readonly feedback: Feedback | null;
  /** Responsive minus steady accuracy (0 to 1) on the judged windows of past rounds, oldest first. */
  readonly evidence: readonly number[];
  /** Linear minus elected network on them; absent from a worker of an earlier release. */
  readonly linearEvidence?: readonly number[];
  /** Whether the namespace knows Fedloop's search attributes: a workflow that sets unknown ones gets stuck. */
  readonly searchAttributes: boolean;
}

/** A site's description in short; the whole goes to `model-updates`. */
export type SiteSize = Readonly<Pick<SiteDescription, 'site' | 'devices' | 'latestWindow'>>;

/** Input of the activity `siteReadiness`: the targets that the round trains on. */
export interface SiteReadinessInput {
  readonly trainingWindows: number;
}

/** How many devices of each site train and how many stand on each panel; the site chooses the devices by the seed. */
export interface SiteQuota {
  readonly site: SiteName;
  readonly participants: number | 'all';
  readonly panelDevices: number;
}

export interface Selection {
  readonly quotas: readonly SiteQuota[];
  /** With several sites and shared clusters: each site adds up the clusters of all of them, so that a cluster has one role everywhere. */
  readonly fleet: Pick<SiteQuota, 'participants'> | null;
  /** Start of the last closed window that training and panels may use. */
  readonly trainUntil: Micros;
  /** Length of a window, and the time from its end to its closing; absent where a round began under an earlier release. */
  readonly windowMillis?: number;
  readonly closesAfterMillis?: number;
  /** What serves where the workflow knew of no version: v0, or what has taken its place since. Absent from a worker of an earlier release, too. */
  readonly champion?: VersionId;
}

/** The settings of a round for all of its steps; the same size however many sites and devices there are. */
export interface RoundPlan
  extends
    RoundRef,
    Omit<Selection, 'quotas' | 'champion'>,
    Pick<FederatedRoundInput, 'seed' | 'strategy' | 'strategySettings' | 'training' | 'minUpdates'> {
  readonly champion: VersionId;
  readonly parts: LoopParts;
  readonly privacy: PrivacySettings | null;
}

/** The plan as one site gets it. */
export interface SitePlan extends RoundPlan {
  /** This site's share; null when the selection has none for it. */
  readonly quota: SiteQuota | null;
}

/** A site's messages of one kind in `model-updates`: `count` of them, the last at the offset `last`; -1 when there is none. */
export interface MessageRange {
  readonly site: SiteName;
  readonly last: number;
  readonly count: number;
}

export interface TrainResult extends MessageRange {
  readonly trained: number;
  readonly leftOut: ReasonCounts;
  readonly seconds: number;
  /** What feedback changed in training. */
  readonly feedbackUsed: Lineage['feedback_used'];
}

/** Training of all sites, for aggregation; all their updates stand up to the offset `last`. */
export type Trained = Pick<TrainResult, 'last' | 'feedbackUsed'>;

/** How many devices' updates went into a proposal, and the hash of their ids (see `Lineage`). */
export interface Contributors {
  readonly proposal: string;
  readonly devices: number;
  readonly sha256: string;
}

export interface AggregateResult {
  /** Names of the proposals published in `model-updates`. */
  readonly proposals: readonly string[];
  readonly trained: number;
  readonly used: number;
  readonly leftOut: ReasonCounts;
  readonly selfReportedAccuracy: number | null;
  readonly localRealAccuracy: number | null;
  readonly selfReportGap: FederatedRoundResult['selfReportGap'];
  /** The devices whose updates are in each proposal. */
  readonly contributors: readonly Contributors[];
  readonly feedbackUsed: Lineage['feedback_used'];
  /** Whether panels decide over the proposals: refit, acceptance and gate. */
  readonly wantsPanels: boolean;
  /** Absent where that part is off. */
  readonly contribution?: ContributionPlan;
}

export interface DeployResult {
  readonly elected: { readonly version: VersionId; readonly role: CandidateRole | null };
  readonly candidates: readonly VersionId[];
  readonly feedbackUsed: Lineage['feedback_used'];
}

/** The versions of a round. */
interface RoundVersions extends RoundRef {
  readonly champion: VersionId;
  readonly elected: VersionId;
  readonly candidates: readonly VersionId[];
}

export interface EvaluateInput extends RoundVersions {
  readonly windows: number;
  /** Missing where an earlier release has asked: no more than `windows`. */
  readonly maxWindows?: number;
  readonly windowsTimeoutMillis: number;
  readonly gate: GateSettings;
}

export interface EvaluateResult extends Pick<FederatedRoundResult, 'windows' | 'pairedChange'> {
  /** Scores of every candidate and the champion on the device-windows that all of them forecast. */
  readonly scores: readonly VersionScore[];
  /** The gate's verdict on the elected candidate; the decide step carries it out. */
  readonly verdict: DecideResult;
}

export interface DecideInput extends RoundVersions {
  readonly evaluation: EvaluateResult;
}

export type DecideResult = Readonly<Pick<FederatedRoundResult, 'decision' | 'finding' | 'reason'>>;

/** How a round without a result ends, and the reason that its candidates' stages then give. */
export const EARLY_ENDS = { failed: 'the round failed', cancelled: 'the round was cancelled' } as const;
export type EarlyEnd = keyof typeof EARLY_ENDS;

/** A round that ended early. */
export interface WithdrawInput extends RoundRef {
  readonly reason: (typeof EARLY_ENDS)[EarlyEnd];
}

export interface FeedBackInput {
  readonly attempt: string;
  readonly result: FederatedRoundResult;
  readonly candidates: readonly VersionId[];
}

/** The steps of a round as its query `progress` reports them. */
export const ROUND_STEPS = [
  'waiting',
  'running',
  'ask',
  'select',
  'train locals',
  'score locals',
  'aggregate',
  'refit',
  'deploy',
  'evaluate',
  'approve',
  'decide',
  'feed back',
  'done',
] as const;
export type RoundStep = (typeof ROUND_STEPS)[number];

/** Answer to the query `progress` of a round. */
export const roundProgressSchema = z.object({
  round: roundNumberSchema.nullable(),
  /** `waiting` for the round lock, `running` as a child under the locked id, or the step that runs. */
  step: z.enum(ROUND_STEPS),
  /** Why it is paused before its next step; null while it runs. */
  paused: z.string().nullable(),
  /** What the fleet still needs for a round that waits for it; null when it waits for nothing. */
  waitsFor: z.string().nullable(),
  champion: versionIdSchema.nullable(),
  candidate: versionIdSchema.nullable(),
  devicesTrained: z.int().nullable(),
  /** Updates that did not count, by reason. */
  leftOut: z.record(z.string(), z.int()),
  /** Real accuracy (0 to 1) of the candidate, and its change from the champion on the same device-windows. */
  accuracy: z.number().nullable(),
  change: z.number().nullable(),
  decision: decisionSchema.nullable(),
});
export type RoundProgress = Readonly<z.infer<typeof roundProgressSchema>>;

/** What a round tells the workflow that has started it as its child: its progress, and its details as it shows them itself. */
export const roundReportSchema = z.object({ progress: roundProgressSchema, details: z.string() });
export type RoundReport = Readonly<z.infer<typeof roundReportSchema>>;

/** Answer to the query `scoreboard`: versions by their live accuracy. */
export interface ScoreboardEntry {
  readonly round: number | null;
  readonly version: VersionId;
  readonly accuracy: number;
  /** From the champion of that round; null for the champion itself. */
  readonly change: number | null;
  readonly evaluations: number;
  readonly decision: Decision | 'champion';
}

export interface TrainingProgress {
  readonly rounds: number;
  readonly paused: string | null;
  /** The round that runs, as it last reported; null between two rounds, and before its first report. */
  readonly current: RoundProgress | null;
  /** Rounds of this run of the workflow; a run that continues as new starts with none. */
  readonly finished: readonly FederatedRoundResult[];
}
