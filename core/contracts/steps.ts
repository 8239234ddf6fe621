import { type CandidateRole, type Lineage } from './deployments';
import { type Feedback } from './feedback';
import { type SiteName, type VersionId } from './ids';
import {
  type Decision,
  type FederatedRoundResult,
  type GateSettings,
  type Interval,
  type LoopParts,
  type PrivacySettings,
  type SelfReportGap,
  type StrategyName,
  type TrainingSettings,
  type VersionScore,
} from './rounds';
import { type Micros } from './time';
import { type LeftOutReason } from './updates';

/**
 * What the steps of a round hand to one another through Temporal: references, counts and small sums, never weights,
 * readings or lists of devices.
 */

/** One try at a round: `attempt` is the workflow's run id, so that messages of a cancelled try are never mixed in. */
export interface RoundRef {
  readonly round: number;
  readonly attempt: string;
}

// --- 0. ask

export interface AskResult {
  readonly round: number;
  /** Absent before the first round: nobody has made v0 yet. */
  readonly champion: VersionId | null;
  /** What the live stream said of the champion; null while it has not been measured. */
  readonly feedback: Feedback | null;
  /** Responsive minus steady accuracy (0 to 1) on the judged windows of past rounds, oldest first. */
  readonly evidence: readonly number[];
  /** Whether the namespace knows Fedloop's search attributes: a workflow that sets unknown ones gets stuck. */
  readonly searchAttributes: boolean;
}

// --- 1. select

/** Additive sums of raw features over a site's training rows, by feature: what v0's scaling is made of. */
export interface FeatureSums {
  readonly count: readonly number[];
  readonly sum: readonly number[];
  readonly sumOfSquares: readonly number[];
}

export interface SiteDescription {
  readonly site: SiteName;
  readonly devices: number;
  /** Devices by group, where groups can stretch over sites (a `devices.csv` names them); else each device is its own. */
  readonly groups: Readonly<Record<string, number>> | null;
  /** Start of the newest closed window of the site's devices. */
  readonly latestWindow: Micros | null;
  /** Only when asked for: v0 is being made. */
  readonly featureSums: FeatureSums | null;
}

/** How many devices of each site train and how many stand on each panel; who they are, the site decides by the seed. */
export interface SiteQuota {
  readonly site: SiteName;
  readonly participants: number | 'all';
  readonly panelDevices: number;
}

export interface Selection {
  readonly quotas: readonly SiteQuota[];
  /** With several sites and shared groups: what each must know so that a group has the same role everywhere. */
  readonly fleet: {
    readonly groups: Readonly<Record<string, number>>;
    readonly participants: number | 'all';
  } | null;
  /** Start of the last closed window that training and panels may use. */
  readonly trainUntil: Micros;
}

export interface RoundPlan extends RoundRef, Selection {
  readonly seed: number;
  readonly champion: VersionId;
  readonly strategy: StrategyName;
  readonly strategySettings: Readonly<Record<string, number>>;
  readonly parts: LoopParts;
  readonly training: TrainingSettings;
  readonly privacy: PrivacySettings | null;
  readonly minUpdates: number;
}

// --- 2. train locals

/** Where a site's messages of one kind stand in `model-updates`: `count` of them at offsets from `first` to `last`. */
export interface MessageRange {
  readonly site: SiteName;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface TrainResult extends MessageRange {
  readonly trained: number;
  readonly leftOut: Readonly<Partial<Record<LeftOutReason, number>>>;
  readonly seconds: number;
  /** What feedback changed in training. */
  readonly feedbackUsed: Lineage['feedback_used'];
}

// --- 4. aggregate

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
  readonly leftOut: Readonly<Partial<Record<LeftOutReason, number>>>;
  readonly selfReportedAccuracy: number | null;
  readonly localRealAccuracy: number | null;
  readonly selfReportGap: SelfReportGap | null;
  /** Whose updates are in each proposal. */
  readonly contributors: readonly Contributors[];
  readonly feedbackUsed: Lineage['feedback_used'];
  /** Whether panels decide over the proposals: refit, acceptance and gate. */
  readonly wantsPanels: boolean;
}

/** Sums for the ridge refit of one proposal's output layer, over one site's devices off panels B and C (core/federation/refit.ts). */
export interface PanelSums {
  readonly site: SiteName;
  readonly proposal: string;
  readonly rows: number;
  /** Gram matrix [hidden + 1, hidden + 1] of activations and a one, row-major. */
  readonly gram: readonly number[];
  /** Right-hand side [hidden + 1]. */
  readonly moment: readonly number[];
}

/**
 * How a proposal did on one panel, beside the champion on the same device-windows: sums that add up over sites. Errors are in
 * tolerances; d = one device's mean of (proposal correct − champion correct) over its windows.
 */
export interface PanelTally {
  readonly rows: number;
  readonly correct: number;
  /** Σ σ((1 − |e|)/0.25) */
  readonly softCorrect: number;
  readonly squaredError: number;
  readonly devices: number;
  /** Σ d and Σ d² over devices. */
  readonly difference: number;
  readonly squaredDifference: number;
}

/** How one proposal did on one site's panels B (acceptance) and C (gate). */
export interface PanelScore {
  readonly site: SiteName;
  readonly proposal: string;
  readonly b: PanelTally;
  readonly c: PanelTally;
}

export interface SettleResult {
  readonly elected: { readonly version: VersionId; readonly role: CandidateRole | null };
  readonly candidates: readonly VersionId[];
  readonly feedbackUsed: Lineage['feedback_used'];
}

// --- 6. evaluate

export interface EvaluateInput extends RoundRef {
  readonly champion: VersionId;
  readonly elected: VersionId;
  readonly candidates: readonly VersionId[];
  readonly windows: number;
  readonly windowsTimeoutMillis: number;
  readonly gate: GateSettings;
}

export interface EvaluateResult {
  readonly windows: { readonly count: number; readonly from: Micros; readonly until: Micros };
  /** Scores of every candidate and the champion on the device-windows that all of them forecast. */
  readonly scores: readonly VersionScore[];
  readonly pairedChange: Interval;
  /** What the gate says of the elected candidate; the decide step carries it out. */
  readonly verdict: DecideResult;
}

// --- 7. decide

export interface DecideInput extends RoundRef {
  readonly champion: VersionId;
  readonly elected: VersionId;
  readonly candidates: readonly VersionId[];
  readonly evaluation: EvaluateResult;
}

export interface DecideResult {
  readonly decision: Decision;
  readonly reason: string;
}

/** How a round ends that has no result, and the reason that its candidates' stages then name. */
export const EARLY_ENDS = {
  failed: 'the round failed',
  cancelled: 'the round was cancelled',
} as const;
export type EarlyEnd = keyof typeof EARLY_ENDS;

/** A round that ended early. */
export interface WithdrawInput extends RoundRef {
  readonly reason: (typeof EARLY_ENDS)[EarlyEnd];
}

// --- 8. feed back

export interface FeedBackInput {
  readonly attempt: string;
  readonly result: FederatedRoundResult;
  readonly candidates: readonly VersionId[];
}

// --- batch

export interface BatchResult {
  readonly files: { readonly counted: number; readonly unchanged: number; readonly removed: number };
  readonly rows: number;
  readonly rejectedRows: number;
  readonly results: number;
  readonly seconds: number;
}

/** What a running round tells of itself (query `progress`). */
export const ROUND_STEPS = [
  'waiting',
  'playing',
  'ask',
  'select',
  'train locals',
  'score locals',
  'aggregate',
  'deploy',
  'evaluate',
  'approve',
  'decide',
  'feed back',
  'done',
] as const;
export type RoundStep = (typeof ROUND_STEPS)[number];

export interface RoundProgress {
  readonly round: number | null;
  /** `waiting` for its turn, `playing` under the fixed id, or the step that runs. */
  readonly step: RoundStep;
  /** Why it waits before its next step; null while it runs. */
  readonly paused: string | null;
  readonly champion: VersionId | null;
  readonly candidate: VersionId | null;
  readonly devicesTrained: number | null;
  /** Updates that did not count, by reason. */
  readonly leftOut: Readonly<Record<string, number>>;
  /** Real accuracy (0 to 1) of the candidate, and its change from the champion on the same device-windows. */
  readonly accuracy: number | null;
  readonly change: number | null;
  readonly decision: Decision | null;
}

/** Answer to the query `scoreboard`: versions as they were measured live, beside one another. */
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
  /** Rounds of this run of the workflow; a run that continues as new starts with none. */
  readonly finished: readonly FederatedRoundResult[];
}
