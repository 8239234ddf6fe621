import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { FedloopError } from '../../core/contracts/errors';
import { DEFAULT_TASK } from '../../core/contracts/task';
import { parseOrThrow } from '../../core/contracts/validation';
import { type Query } from '../../core/warehouse/database/query';
import { type Cutoff } from '../results/cutoff';
import { querySeries, queryWorstDevices } from './queries/devices';
import { queryActions, queryFeedbackUsed, queryLocals, queryTimeline } from './queries/rounds';
import { queryExpired, queryLineage, queryServing, querySettings } from './queries/run';
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
  /** Most rounds, counted from the latest; more where the champion that serves comes from an earlier one. */
  readonly rounds: number;
  readonly cutoff: Cutoff;
}

/**
 * Query the tables of a run for everything that its report shows.
 * @throws FedloopError `NotFound` when no round has been decided yet.
 */
export async function collectReport(
  query: Query,
  run: Pick<RunFolder, 'id' | 'processed' | 'summary'>,
  { rounds, cutoff }: Selection,
): Promise<ReportData> {
  const truth = await readTruth(run.processed);
  const faulty = [...(truth?.faults.keys() ?? [])];
  const serving = await queryServing(query);
  const last = Math.max(rounds, serving?.rounds ?? 0);
  const evidence = await collectEvidence(query, { cutoff, faulty, last });
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
  const lineage = await queryLineage(query, versions);
  const champion = serving?.version ?? results.champion;
  const numbers = results.rounds.map(({ round }) => round);
  const settings = await querySettings(query);
  const worst = await queryWorstDevices(query, champion, WORST_SHOWN, cutoff);
  return {
    run: run.id,
    madeAt: new Date().toISOString(),
    software: packageVersion(),
    target: settings.rows[0] ?? DEFAULT_TASK.target,
    results,
    versions,
    champion,
    cutoff,
    truth,
    counts: await queryCounts(query, versions, cutoff),
    expired: await queryExpired(query),
    earlierRounds: (numbers[0] ?? 1) - 1,
    windows: await queryWindows(query, versions, cutoff),
    locals: await queryLocals(query, numbers),
    feedbackUsed: await queryFeedbackUsed(query, numbers),
    actions: await queryActions(query, numbers),
    reliability: await queryReliability(query, champion, cutoff),
    regimes: await queryRegimes(query, champion, cutoff),
    worst,
    series: await querySeries(
      query,
      worst.rows.map(({ device_id }) => device_id),
      versions,
      cutoff,
    ),
    timeline: await queryTimeline(query, numbers),
    settings,
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
