import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { readEnvironment } from '../../core/platform/config';
import { isoOfMicros } from '../../core/contracts/time';
import { queryCutoff, type Cutoff } from '../results/cutoff';
import { queryWorker } from '../query/query-worker';
import { type BatchResult } from '../../core/contracts/batch-result';
import { LIMITS } from '../shared/limits';
import { createRunFolder, runId } from '../system/run-folder';
import { withTemporal } from '../servers/temporal-client';
import { collectReport } from '../report/collect';
import { writeReport } from '../report/write';
import { analyticsAt, type AnalyticsAddress } from '../system/running';
import { type Session } from '../system/session';
import { startSystem, type System } from '../system/system';
import { unlessAborted } from '../shared/wait';
import { deploymentRoles, requireBuilt } from '../system/worker-process';
import { collectEvidence } from '../results/collect';
import { renderLinks } from './links';
import { dataFolder, planFleet } from './plan-fleet';
import { publishChampion } from './publish-champion';
import { resultsOf } from '../results/summary';
import { type Results, type Summary } from '../results/summary-schema';
import { readTruth } from '../results/truth';
import { demoSettings, type DemoOptions, type DemoSettings } from './settings';
import { renderResults } from './table';
import { countProcessed, trainRounds } from './train';

/**
 * Bring the system up, train and measure the rounds, count the processed files, report; then stop everything, or stay up.
 * @throws FedloopError
 */
export async function runDemo(session: Session, options: DemoOptions): Promise<void> {
  const startedAt = new Date();
  const began = performance.now();
  await requireBuilt();
  const settings = demoSettings({ ...options, data: await dataFolder(session.folder, options.data) });
  const run = await createRunFolder(session.folder, runId(startedAt, process.pid));
  const system = await startSystem({
    session,
    run,
    ends: 'end the system',
    roles: ({ source }) => [...deploymentRoles(source), 'fleet'],
    deployment: {
      plan: {
        fleet: readEnvironment(session.env).FEDLOOP_FLEET,
        settings: settings.stream,
        measuresTolerance: false,
      },
      onRunning: 'compare',
    },
    ports: { kafka: options.kafkaPort, temporal: options.temporalPort, temporalUi: options.uiPort },
    prepare: async (processes) => ({
      ...(await planFleet(session, processes, settings, run)),
      // Only the requested rounds may change the champion: live checks run by the wall clock and would change the results.
      FEDLOOP_EVALUATION:
        session.env['FEDLOOP_EVALUATION'] ?? '{"rollback": "off", "onDrift": "off", "firstRound": "off"}',
    }),
  });
  try {
    const signal = AbortSignal.any([session.signal, abortedBy(system.failed)]);
    const measured = await unlessAborted(measure({ ...session, signal }, system, settings), signal);
    const summary: Summary = {
      run: run.id,
      seed: options.seed,
      startedAt: startedAt.toISOString(),
      seconds: Math.round((performance.now() - began) / 100) / 10,
      ...measured.results,
      devices: measured.devices,
      settings: { ...settings, data: options.data },
      batch: measured.batch,
      latestWindow: measured.cutoff === null ? null : isoOfMicros(measured.cutoff),
    };
    await writeFile(run.summary, `${JSON.stringify(summary, null, 2)}\n`);
    await drawReport(session, system, measured.cutoff);
    await publishChampion(run, join(session.folder, 'models', 'global'));
    session.progress.stop();
    session.out(
      options.json === true
        ? `${JSON.stringify(summary, null, 2)}\n`
        : `\n${renderResults(summary, settings.stream.task.target)}`,
    );
    session.progress.note(
      `The report is ${relative(session.folder, run.report)}; everything measured is in ${relative(session.folder, run.summary)} and, by row, in the warehouse (\`fedloop sql\`).`,
    );
    if (options.stay === true) {
      session.progress.note(`\n${renderLinks(system, 'Ctrl-C')}`);
      await unlessAborted(system.failed, session.signal);
    }
  } finally {
    await stopVisibly(session, system);
  }
}

interface Measured {
  readonly results: Results;
  readonly cutoff: Cutoff;
  readonly batch: BatchResult;
  readonly devices: { readonly all: number; readonly healthy: number };
}

async function measure(session: Session, system: System, settings: DemoSettings): Promise<Measured> {
  const batch = await withTemporal(system.env, async (client, names) => {
    await trainRounds(session, client, names, settings.training);
    return countProcessed(session, client, names);
  });
  const step = session.progress.step('Reading the results from the tables');
  const truth = await readTruth(system.run.processed);
  if (truth === null)
    throw new FedloopError('Internal', `the fleet has left no truth file in ${system.run.processed}`);
  const query = queryWorker(await analytics(session, system));
  const cutoff = await queryCutoff(query);
  const evidence = await collectEvidence(query, { cutoff, faulty: [...truth.faults.keys()] });
  step.done();
  return {
    results: resultsOf(evidence),
    cutoff,
    batch,
    devices: { all: truth.devices, healthy: truth.devices - truth.faults.size },
  };
}

/** Draw the page of the run from the rows that its summary counts. The summary must be written before. */
async function drawReport(session: Session, system: System, cutoff: Cutoff): Promise<void> {
  const step = session.progress.step('Drawing the report');
  const data = await collectReport(queryWorker(await analytics(session, system)), system.run, {
    rounds: LIMITS.reportRounds,
    cutoff,
  });
  await writeReport(data, system.run.report);
  step.done();
}

function analytics({ env }: Session, system: System): Promise<AnalyticsAddress> {
  return analyticsAt(system.urlOf('analytics'), system.run.warehouse, env);
}

/** A signal that is aborted when the promise is rejected, for the same reason. */
function abortedBy(failure: Promise<never>): AbortSignal {
  const controller = new AbortController();
  failure.catch((cause: unknown) => {
    controller.abort(cause);
  });
  return controller.signal;
}

async function stopVisibly(session: Session, system: System): Promise<void> {
  const step = session.progress.step('Stopping');
  await system.stop();
  step.done();
}
