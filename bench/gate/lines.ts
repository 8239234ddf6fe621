import Table from 'cli-table3';
import { percent } from '../../cli/shared/format';
import { type Clock } from '../../fleet/settings';
import { type Coverage, type Decisions } from './decisions';
import { type DriftCount } from './drift';

/** What was counted at one clock and size of the fleet. */
export interface Line {
  readonly clock: Clock;
  readonly devices: number;
  readonly decisions: readonly Decisions[];
  readonly coverage: readonly Coverage[];
  readonly drift: DriftCount;
}

/** Shares, each of the clock and size where it is worst. */
export interface Summary {
  readonly promotedOneWorse: number;
  readonly promotedThreeWorse: number;
  readonly promotedThreeBetterWithin12: number;
  readonly coverageIndependent: number;
  readonly coverageShared: number;
  /** Of 500 windows of one fleet in which nothing changes. */
  readonly falseAlarmsPer500: number;
  /** Of worsenings by 5 points: those that were found within 60 windows, at each clock. */
  readonly driftFoundIndependent: number;
  readonly driftFoundShared: number;
}

export function summaryOf(lines: readonly Line[]): Summary {
  const promoted = (points: number): number[] =>
    lines.flatMap(({ decisions }) =>
      decisions.filter((own) => own.points === points).map((own) => own.promoted / own.rounds),
    );
  const covered = (clock: Clock): number =>
    Math.min(
      ...lines
        .filter((line) => line.clock === clock)
        .flatMap(({ coverage }) => coverage.map(({ covering, intervals }) => covering / intervals)),
    );
  const found = (clock: Clock): number =>
    Math.min(...lines.filter((line) => line.clock === clock).map(({ drift }) => foundOf(drift)));
  return {
    promotedOneWorse: Math.max(...promoted(-1)),
    promotedThreeWorse: Math.max(...promoted(-3)),
    promotedThreeBetterWithin12: Math.min(...promoted(3)),
    coverageIndependent: covered('independent'),
    coverageShared: covered('shared'),
    falseAlarmsPer500: Math.max(...lines.map(({ drift }) => falseAlarmsPer500(drift))),
    driftFoundIndependent: found('independent'),
    driftFoundShared: found('shared'),
  };
}

/** Promotions by what candidates are worth, and how often intervals cover, as a table. */
export function tableOf(lines: readonly Line[]): string {
  const kinds = lines[0]?.decisions.map(({ points }) => points) ?? [];
  const lengths = lines[0]?.coverage.map(({ windows }) => windows) ?? [];
  const table = new Table({
    head: [
      'clock',
      'devices',
      ...kinds.map((points) => `promoted at ${points > 0 ? '+' : points < 0 ? '−' : '±'}${Math.abs(points)}`),
      ...lengths.map((windows) => `covers, ${windows} windows`),
      'false alarms in 500 windows',
      '5 points worse, found',
    ],
    style: { head: [], border: [] },
  });
  for (const { clock, devices, decisions, coverage, drift } of lines)
    table.push([
      clock,
      devices,
      ...decisions.map((own) => {
        const after = own.windowsToPromotion === null ? '' : ` after ${own.windowsToPromotion.toFixed(1)}`;
        return `${percent(own.promoted / own.rounds)}${after}`;
      }),
      ...coverage.map(({ covering, intervals }) => percent(covering / intervals)),
      falseAlarmsPer500(drift).toFixed(1),
      percent(foundOf(drift)),
    ]);
  return table.toString();
}

function falseAlarmsPer500({ falseAlarms, windows }: DriftCount): number {
  return (500 * falseAlarms) / Math.max(1, windows);
}

function foundOf({ found, worsenings }: DriftCount): number {
  return found / Math.max(1, worsenings);
}
