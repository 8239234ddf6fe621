import { type DeploymentMessage } from '../contracts/deployments';
import { type VersionId } from '../contracts/ids';
import { type GateSettings, type Interval, type TrainingSettings } from '../contracts/rounds';
import { type StreamSettings } from '../contracts/settings';
import { type Micros } from '../contracts/time';
import { type GateVerdict } from '../federation/promotion/gate';
import { type Counts } from '../stream/windows/counts';
import { type ClosedWindow } from '../stream/windows/rows';
import { type RoundRules } from './candidates';
import { type Tally } from './tally';

/** When rounds take place, counted in closed windows. */
export interface BacktestPlan {
  readonly rounds: number;
  /** Windows before the first round: what it trains on. */
  readonly firstAfter: number;
  /** Windows from the start of one round to the start of the next. */
  readonly every: number;
  /** Windows after which candidates are judged first, and the most that they are judged on. */
  readonly judged: number;
  readonly mostJudged: number;
  /** Windows of a season; null = no seasonal forecast. */
  readonly season: number | null;
}

/** What a deployment would have logged, as it happens. */
export interface BacktestLog {
  /** A window has closed. @param rounds decided so far */
  window(closed: ClosedWindow, rounds: number): Promise<void>;
  deployment(message: DeploymentMessage): Promise<void>;
}

export interface BacktestOptions {
  readonly settings: StreamSettings;
  readonly plan: BacktestPlan;
  readonly rules: RoundRules;
  readonly training: TrainingSettings;
  readonly gate: GateSettings;
  /** Threads of a training run; 0 = one a core. */
  readonly threads: number;
  readonly log: BacktestLog;
  readonly signal: AbortSignal;
}

export interface BacktestRound {
  readonly round: number;
  readonly version: VersionId;
  readonly role: 'steady' | 'responsive' | null;
  readonly championBefore: VersionId;
  readonly decision: GateVerdict['decision'];
  readonly finding: GateVerdict['finding'];
  readonly reason: string;
  readonly change: Interval;
  readonly judgedWindows: number;
  /** Starts of the first and the last of them; equal to `from` where there are none. */
  readonly from: Micros;
  readonly until: Micros;
  readonly trained: number;
}

export interface BacktestResult {
  readonly counts: Counts;
  readonly devices: number;
  readonly windows: number;
  readonly rounds: readonly BacktestRound[];
  readonly tally: Tally;
}
