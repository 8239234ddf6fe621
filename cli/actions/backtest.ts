import { writeFile } from 'node:fs/promises';
import { Backtest } from '../../core/backtest/backtest';
import {
  type BacktestLog,
  type BacktestOptions,
  type BacktestPlan,
  type BacktestResult,
} from '../../core/backtest/types';
import { FedloopError } from '../../core/contracts/errors';
import { gateSettingsSchema, partsFor, trainingSettingsSchema } from '../../core/contracts/rounds';
import { type StreamSettings, streamSettingsSchema } from '../../core/contracts/settings';
import { type StrategyName } from '../../core/contracts/strategies';
import { MICROS_PER_MILLI, MICROS_PER_SECOND } from '../../core/contracts/time';
import { parseOrThrow } from '../../core/contracts/validation';
import {
  deploymentFileSchema,
  planDeployment,
  type DeploymentPlan,
} from '../../core/contracts/deployment-file';
import { toleranceOf, WindowChanges } from '../../core/ingest/window-changes';
import { type RecordedReadings, readRecorded } from '../backtest/readings';
import { figuresOf } from '../backtest/results';
import { assertFilled, planRounds } from '../backtest/plan';
import { BacktestRecorder } from '../backtest/recorder';
import { endOf } from '../progress';
import { createRunFolder, runId } from '../system/run-folder';
import { renderBacktest } from '../backtest/table';
import { counted, span, whole } from '../shared/format';
import { deployedIn } from '../system/deployment-file';
import { type Session } from '../system/session';

export interface BacktestCommandOptions {
  readonly target?: string;
  readonly unit?: string;
  readonly covariate: readonly string[];
  /** Milliseconds. */
  readonly window?: number;
  readonly tolerance?: number | 'auto';
  readonly rounds: number | 'auto';
  readonly windows: number;
  readonly participants: number | 'all';
  readonly strategy: StrategyName;
  /** Milliseconds. */
  readonly season: number;
  readonly seed: number;
  readonly json?: true;
}

/** Play a recording through the stream engine, rounds and the gate, and print what the versions were worth. */
export async function backtest(
  session: Session,
  path: string,
  options: BacktestCommandOptions,
): Promise<void> {
  const { plan, isFile } = await deploymentOf(session, options);
  const reading = session.progress.step(`Reading ${path}`);
  const recorded = await readRecorded(path, plan.settings.task);
  reading.done(`${counted(recorded.rows, 'reading')} of ${counted(recorded.devices, 'device')}`);
  try {
    const settings = await settingsFor(plan, isFile, recorded, options);
    await play(session, settings, recorded, options);
  } finally {
    recorded.close();
  }
}

/** The deployment file's plan; without one, a plan made of the options. */
async function deploymentOf(
  session: Session,
  { target, unit, covariate }: BacktestCommandOptions,
): Promise<{ readonly plan: DeploymentPlan; readonly isFile: boolean }> {
  const { plan } = await deployedIn(session);
  if (plan === undefined) {
    const file = target === undefined ? {} : { target: { sensor: target, unit }, covariates: covariate };
    const given = parseOrThrow(deploymentFileSchema, file, 'the options');
    return { plan: planDeployment(given), isFile: false };
  }
  if (target !== undefined || covariate.length > 0)
    throw new FedloopError(
      'InvalidInput',
      'the deployment file says what the target and the covariates are',
      {
        hint: 'Leave --target and --covariate out, or work in a folder without fedloop.yaml.',
      },
    );
  return { plan, isFile: true };
}

/** The deployment's settings with the options' window and tolerance, and those that the recording suggests. */
async function settingsFor(
  { settings, measuresTolerance }: DeploymentPlan,
  isFile: boolean,
  recorded: RecordedReadings,
  { window, tolerance: wanted }: BacktestCommandOptions,
): Promise<StreamSettings> {
  const { task } = settings;
  const ofFile = isFile ? task.windowMicros : recorded.spacing;
  const windowMicros = window === undefined ? ofFile : Math.round(window * MICROS_PER_MILLI);
  assertFilled(windowMicros, recorded.spacing, task.target.holdMicros);
  const given = wanted ?? (measuresTolerance || !isFile ? 'auto' : task.target.tolerance);
  const changed = { ...settings, task: { ...task, windowMicros } };
  const tolerance = given === 'auto' ? await measuredTolerance(recorded, changed) : given;
  const target = { ...task.target, tolerance };
  return parseOrThrow(
    streamSettingsSchema,
    { ...changed, task: { ...changed.task, target } },
    'the options',
    'InvalidConfig',
  );
}

/** @throws FedloopError `InvalidData` where the target never changes from window to window. */
async function measuredTolerance(recorded: RecordedReadings, settings: StreamSettings): Promise<number> {
  const changes = new WindowChanges(settings);
  for await (const reading of recorded.readings()) changes.add(reading);
  const tolerance = toleranceOf(changes.sorted());
  if (tolerance > 0) return tolerance;
  throw new FedloopError('InvalidData', 'the tolerance cannot be measured: the target does not change', {
    hint: 'Give one with --tolerance, or another --window.',
  });
}

async function play(
  session: Session,
  settings: StreamSettings,
  recorded: RecordedReadings,
  options: BacktestCommandOptions,
): Promise<void> {
  const { task } = settings;
  const { windowMicros, target } = task;
  const windows = Math.floor(recorded.until / windowMicros) - Math.floor(recorded.from / windowMicros) + 1;
  const seasonMicros = options.season * MICROS_PER_MILLI;
  const plan = planRounds(settings, {
    windows,
    rounds: options.rounds,
    judged: options.windows,
    seasonMicros,
  });
  session.progress.note(
    `${target.sensor}, windows of ${span(windowMicros / MICROS_PER_SECOND)}, right within ${target.tolerance} ${target.unit}`.trimEnd(),
  );
  const run = await createRunFolder(session.folder, runId(new Date(), process.pid));
  const startedAt = new Date();
  const step = session.progress.step('Playing the recording');
  const recorder = await BacktestRecorder.open(run.warehouse, settings, (done, rounds) => {
    step.update(`${whole(done)} windows, ${counted(rounds, 'round')}`, Math.min(1, done / windows));
  });
  let result: BacktestResult;
  try {
    result = await Backtest.play(
      recorded.events(),
      backtestOf(settings, plan, recorder, options, session.signal),
    );
    await recorder.finish(result.rounds, result.tally, {
      strategy: options.strategy,
      tolerance: target.tolerance,
    });
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  } finally {
    await recorder.close();
  }
  step.done(`${whole(result.windows)} windows, ${counted(result.rounds.length, 'round')}`);
  const figures = figuresOf(result, target.tolerance);
  const summary = {
    run: run.id,
    seed: options.seed,
    startedAt: startedAt.toISOString(),
    seconds: (Date.now() - startedAt.getTime()) / 1_000,
    settings: { stream: settings, plan, strategy: options.strategy, participants: options.participants },
    readings: { rows: recorded.rows, unreadable: recorded.unreadable },
    counts: result.counts,
    devices: result.devices,
    windows: result.windows,
    ...figures,
  };
  const text = `${JSON.stringify(summary, null, 2)}\n`;
  await writeFile(run.summary, text);
  session.out(
    options.json === true
      ? text
      : `${renderBacktest(figures, task)}Run ${run.id}: \`fedloop report ${run.id}\` draws it, \`fedloop sql\` asks its tables.\n`,
  );
}

function backtestOf(
  settings: StreamSettings,
  plan: BacktestPlan,
  log: BacktestLog,
  { strategy, seed, participants, windows }: BacktestCommandOptions,
  signal: AbortSignal,
): BacktestOptions {
  return {
    settings,
    plan,
    rules: {
      strategy,
      strategySettings: {},
      parts: partsFor(strategy, {}),
      boundaryWidth: 'feedback',
      seed,
      participants,
    },
    training: trainingSettingsSchema.parse({}),
    gate: gateSettingsSchema.parse({ minWindows: Math.min(windows, GATE_WINDOWS) }),
    threads: 0,
    signal,
    log,
  };
}

/** The gate's own number of windows, where a round has as many. */
const GATE_WINDOWS = gateSettingsSchema.parse({}).minWindows;
