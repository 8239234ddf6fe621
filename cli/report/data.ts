import { type VersionId } from '../../core/contracts/ids';
import { type TargetWords } from '../../core/contracts/task';
import { type Cutoff } from '../results/cutoff';
import { type RoundSummary, type Results } from '../results/summary-schema';
import { type FleetTruth } from '../results/truth';
import { type Answered } from './queries/answered';
import { type DeviceRow, type SeriesRow } from './queries/devices';
import { type ActionRow, type FeedbackUsedRow, type LocalsRow, type TimelineRow } from './queries/rounds';
import { type LineageRow, type SettingsRow } from './queries/run';
import { type CountRow, type RegimeRow, type ReliabilityRow, type WindowRow } from './queries/versions';

/** Everything that a report shows. */
export interface ReportData {
  readonly run: string;
  /** ISO 8601. */
  readonly madeAt: string;
  /** Version of Fedloop. */
  readonly software: string;
  /** What the fleet forecasts, in its own words. */
  readonly target: TargetWords;
  readonly results: Results;
  /** Measured versions, oldest first: the first champion, then the version of each round. */
  readonly versions: readonly VersionId[];
  readonly champion: VersionId;
  /** The latest window that figures count. */
  readonly cutoff: Cutoff;
  /** The truth file of a simulated fleet; null for a real one. */
  readonly truth: FleetTruth | null;
  readonly counts: Answered<CountRow>;
  /** Evaluations older than the retention: roll-ups hold them, the report does not. */
  readonly expired: number;
  /** Rounds before those that the report shows. */
  readonly earlierRounds: number;
  readonly windows: Answered<WindowRow>;
  readonly locals: Answered<LocalsRow>;
  readonly feedbackUsed: Answered<FeedbackUsedRow>;
  readonly actions: Answered<ActionRow>;
  readonly reliability: Answered<ReliabilityRow>;
  readonly regimes: Answered<RegimeRow>;
  readonly worst: Answered<DeviceRow>;
  readonly series: Answered<SeriesRow>;
  readonly timeline: Answered<TimelineRow>;
  readonly settings: Answered<SettingsRow>;
  readonly lineage: Answered<LineageRow>;
  /** Settings of the command that made the run; empty without a summary. */
  readonly given: readonly (readonly [name: string, value: string])[];
}

/** The first champion and the versions of the rounds. */
export function linesOf(results: Results): readonly (RoundSummary | NonNullable<Results['firstVersion']>)[] {
  return [...(results.firstVersion === null ? [] : [results.firstVersion]), ...results.rounds];
}

/** In display order: the course of the target, then anomalies. */
export const REGIMES = ['rising', 'falling', 'steady', 'normal', 'anomalous'] as const;
