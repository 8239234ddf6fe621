import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { parseOrThrow } from '../../core/contracts/validation';
import { type Ask } from '../../core/warehouse/database/ask';
import { type Cutoff } from '../results/cutoff';
import { querySeries, queryWorstDevices } from './queries/devices';
import { queryActions, queryFeedbackUsed, queryLocals, queryTimeline } from './queries/rounds';
import { queryExpired, queryLineage, querySettings } from './queries/run';
import { queryCounts, queryRegimes, queryReliability, queryWindows } from './queries/versions';
import { collectEvidence } from '../results/collect';
import { resultsOf } from '../results/summary';
import { readTruth } from '../results/truth';
import { packageVersion } from '../shared/package-root';
import { type RunFolder } from '../system/run-folder';
import { type ReportData } from './data';

/** Devices whose series a report shows: enough for one page. */
const WORST_SHOWN = 6;

/** Which part of a run a report shows. */
interface Selection {
  /** Most rounds, counted from the latest. */
  readonly rounds: number;
  readonly cutoff: Cutoff;
}

/**
 * Query the tables of a run for everything that its report shows.
 * @throws FedloopError `NotFound` when no round has been decided yet.
 */
export async function collectReport(
  ask: Ask,
  run: Pick<RunFolder, 'id' | 'processed' | 'summary'>,
  { rounds, cutoff }: Selection,
): Promise<ReportData> {
  const truth = await readTruth(run.processed);
  const faulty = [...(truth?.faults.keys() ?? [])];
  const evidence = await collectEvidence(ask, { cutoff, faulty, last: rounds });
  const results = resultsOf(evidence);
  if (results.champion === null) {
    throw new FedloopError('NotFound', `run ${run.id} has no round that was decided`, {
      hint: 'Start one with `fedloop round start --wait`, and ask for the report then.',
    });
  }
  const versions = [
    ...(results.firstVersion === null ? [] : [results.firstVersion.version]),
    ...results.rounds.map(({ version }) => version),
  ];
  const lineage = await queryLineage(ask, versions);
  // A rollback after the last round may have changed the champion.
  const champion = lineage.rows.find(({ stage }) => stage === 'champion')?.model_version ?? results.champion;
  const numbers = results.rounds.map(({ round }) => round);
  const worst = await queryWorstDevices(ask, champion, WORST_SHOWN, cutoff);
  return {
    run: run.id,
    madeAt: new Date().toISOString(),
    software: packageVersion(),
    results,
    versions,
    champion,
    truth,
    counts: await queryCounts(ask, versions, cutoff),
    expired: await queryExpired(ask),
    earlierRounds: (numbers[0] ?? 1) - 1,
    windows: await queryWindows(ask, versions, cutoff),
    locals: await queryLocals(ask, numbers),
    feedbackUsed: await queryFeedbackUsed(ask, numbers),
    actions: await queryActions(ask, numbers),
    reliability: await queryReliability(ask, champion, cutoff),
    regimes: await queryRegimes(ask, champion, cutoff),
    worst,
    series: await querySeries(
      ask,
      worst.rows.map(({ device_id }) => device_id),
      versions,
      cutoff,
    ),
    timeline: await queryTimeline(ask, numbers),
    settings: await querySettings(ask),
    lineage,
    given: await givenOf(run.summary),
  };
}

const summarySchema = z.object({
  seed: z.number(),
  startedAt: z.string(),
  seconds: z.number(),
  settings: z.record(z.string(), z.unknown()),
});

/** Settings in the run's summary, by dotted name. */
async function givenOf(path: string): Promise<ReportData['given']> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  const { settings, ...rest } = parseOrThrow(summarySchema, JSON.parse(text), path, 'InvalidData');
  return [...flattened(rest), ...flattened(settings)];
}

/** Leaves of a JSON value by dotted name. */
function flattened(value: unknown, name = ''): readonly (readonly [string, string])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
  return Object.entries(value).flatMap(([key, inner]) =>
    flattened(inner, name === '' ? key : `${name}.${key}`),
  );
}
