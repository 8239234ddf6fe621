import { type VersionId } from '../../core/contracts/ids';
import { type RoundSummary, type Results } from '../results/summary';
import {
  type ActionRow,
  type Answered,
  type CountRow,
  type DeviceRow,
  type FeedbackUsedRow,
  type LineageRow,
  type LocalsRow,
  type RegimeRow,
  type ReliabilityRow,
  type SeriesRow,
  type SettingsRow,
  type TimelineRow,
  type WindowRow,
} from '../../core/warehouse/queries/report';

/** Everything that a report says, before it is drawn. */
export interface ReportData {
  readonly run: string;
  /** ISO 8601. */
  readonly madeAt: string;
  /** Of Fedloop. */
  readonly software: string;
  readonly results: Results;
  /** Versions that were measured, oldest first: the first champion, then what each round made. */
  readonly versions: readonly VersionId[];
  readonly champion: VersionId;
  /** What the fleet's own truth says; null where nobody knows it, as in a real fleet. */
  readonly truth: FleetKnowledge | null;
  readonly counts: Answered<CountRow>;
  /** Evaluations older than the retention: they are in roll-ups, and not in here. */
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
  /** Settings of the command that made the run; empty where it left no summary. */
  readonly given: readonly (readonly [name: string, value: string])[];
}

export interface FleetKnowledge {
  readonly devices: number;
  /** Kind of fault by device. */
  readonly faults: ReadonlyMap<string, string>;
}

/** Rounds and the versions they made, the first champion's line included. */
export function linesOf(results: Results): readonly (RoundSummary | NonNullable<Results['firstVersion']>)[] {
  return [...(results.firstVersion === null ? [] : [results.firstVersion]), ...results.rounds];
}

/** In the order in which they are shown: the course of the temperature, then anomalies. */
export const REGIMES = ['rising', 'falling', 'steady', 'normal', 'anomalous'] as const;
