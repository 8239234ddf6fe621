import { Context } from '@temporalio/activity';
import { isInForce } from '../core/contracts/deployments';
import { FedloopError } from '../core/contracts/errors';
import { type VersionId } from '../core/contracts/ids';
import { gateSettingsSchema, type VersionScore } from '../core/contracts/rounds';
import { type EvaluateInput, type EvaluateResult } from '../core/contracts/steps';
import { type Micros } from '../core/contracts/time';
import { SCORE_CONFIDENCE } from '../core/federation/constants';
import { decidePromotion, type GateVerdict } from '../core/federation/promotion/gate';
import { accuracyInterval, type PairedCluster } from '../core/federation/promotion/cluster-interval';
import { type DeployedVersion, type Deployments } from '../core/model/deployments';
import { type RoundComparison } from '../core/warehouse/queries/comparison';
import { type WarehouseService } from '../core/warehouse/service';
import { championChanged, requireUndecided, takenOut } from './shared/decided';
import { HEARTBEAT_MS, withHeartbeat } from './shared/heartbeat';

/** Stream workers see a deployment within a second; one that restarts, or a partition that moves, takes longer. */
const ACTIVATION_TIMEOUT_MS = 120_000;

/**
 * Step 6, prequential evaluation: wait until the stream has scored the candidates on enough live windows, all of which start after
 * the last event that had been read when they were deployed, and compare them with the champion on the same device-windows.
 * @throws FedloopError `TooFewWindows` when no window came in time; `RoundOvertaken` for a closed round.
 */
export async function evaluate(
  service: WarehouseService,
  deployments: Deployments,
  input: EvaluateInput,
): Promise<EvaluateResult> {
  await requireUndecided(deployments, input);
  const { maxWindows = input.windows } = input;
  const signal = Context.current().cancellationSignal;
  const deadline = performance.now() + input.windowsTimeoutMillis;
  let wanted = input.windows;
  let seen = 0;
  /** Heartbeats show people how far the step is. */
  const progress = (): { readonly windows: number; readonly of: number } => ({ windows: seen, of: wanted });
  const onProgress = (windows: readonly Micros[]): void => {
    seen = windows.length;
    Context.current().heartbeat(progress());
  };
  /** Look after the windows that the round asks for, and after each further one until something is shown. */
  const look = async (): Promise<EvaluateResult> => {
    const fromWindow = await firstWindow(service, input, signal);
    for (;;) {
      const timeoutMillis = Math.max(0, deadline - performance.now());
      const ask = { fromWindow, wanted, signal, timeoutMillis, onProgress };
      const windows = await awaitWindows({ service, deployments }, input, ask);
      const comparison = await compareOn({ service, deployments }, windows, input);
      const verdict = verdictOn(deployments, comparison, input);
      const isOver = windows.length < wanted || outOfForce(deployments, input.elected) !== undefined;
      if (verdict.isSettled || isOver || wanted >= maxWindows) return resultOf(comparison, verdict);
      wanted += 1;
    }
  };
  return withHeartbeat(HEARTBEAT_MS, look, progress);
}

/** The first window that every candidate forecasts whole; null where no partition has read an event yet. */
async function firstWindow(
  service: WarehouseService,
  { candidates }: EvaluateInput,
  signal: AbortSignal,
): Promise<Micros | null> {
  const starts = await Promise.all(
    candidates.map(async (version) => {
      const wait = { signal, timeoutMillis: ACTIVATION_TIMEOUT_MS };
      const { fromWindow } = await service.waitForActivation(version, wait);
      return fromWindow;
    }),
  );
  const known = starts.filter((start) => start !== null);
  return known.length === 0 ? null : Math.max(...known);
}

/** Ask the fleet for `wanted` windows, where it is paced, and wait for them. */
async function awaitWindows(
  { service, deployments }: { readonly service: WarehouseService; readonly deployments: Deployments },
  { round, attempt, elected, windows: first }: EvaluateInput,
  {
    fromWindow,
    wanted,
    signal,
    timeoutMillis,
    onProgress,
  }: {
    readonly fromWindow: Micros | null;
    readonly wanted: number;
    readonly signal: AbortSignal;
    readonly timeoutMillis: number;
    readonly onProgress: (windows: readonly Micros[]) => void;
  },
): Promise<readonly Micros[]> {
  const id = `${round}/${attempt}${wanted === first ? '' : `/${wanted}`}`;
  await service.requestWindows({ id, windows: wanted, from_window: fromWindow });
  const live = { version: elected, fromWindow, count: wanted };
  const found = await whileInForce(deployments, elected, (untilOut) =>
    service.waitForWindows({
      ...live,
      signal: AbortSignal.any([signal, untilOut]),
      timeoutMillis,
      onProgress,
    }),
  );
  // What was measured until it was taken out of service is compared: the round says what has become of it.
  return found ?? service.waitForWindows({ ...live, signal, timeoutMillis: 0 });
}

function verdictOn(
  deployments: Deployments,
  { candidates }: RoundComparison,
  { champion, elected, candidates: versions, gate }: EvaluateInput,
): GateVerdict {
  const own = candidates[versions.indexOf(elected)];
  if (own === undefined) throw new FedloopError('Internal', `${elected} is not among the candidates`);
  const { clusters, counts } = own;
  const { accuracy, persistenceAccuracy } = counts;
  const championIsUntrained = deployments.find(champion)?.message.lineage.round === 0;
  return decidePromotion(
    { clusters, accuracy, persistenceAccuracy, championIsUntrained },
    // A round that an earlier release has started names fewer settings.
    gateSettingsSchema.parse(gate),
  );
}

function resultOf(
  comparison: RoundComparison,
  { change, decision, finding, reason }: GateVerdict,
): EvaluateResult {
  const { windows } = comparison;
  return {
    windows: { count: windows.length, from: windows[0] ?? 0, until: windows.at(-1) ?? 0 },
    scores: scoresOf(comparison),
    pairedChange: change,
    verdict: { decision, finding, reason },
  };
}

/** Wait for something of a version. @returns undefined once a person or a check of the champion has taken it out of service */
async function whileInForce<Found>(
  deployments: Deployments,
  version: VersionId,
  wait: (untilOut: AbortSignal) => Promise<Found>,
): Promise<Found | undefined> {
  const out = new AbortController();
  const look = (): void => {
    if (outOfForce(deployments, version) !== undefined) out.abort();
  };
  const stop = deployments.onChange(look);
  look();
  try {
    return await wait(out.signal);
  } catch (thrown) {
    if (out.signal.aborted) return undefined;
    throw thrown;
  } finally {
    stop();
  }
}

/** A version that is known and that nobody forecasts with any more. */
function outOfForce(deployments: Deployments, version: VersionId): DeployedVersion | undefined {
  const known = deployments.find(version);
  return known === undefined || isInForce(known.stage.stage) ? undefined : known;
}

async function compareOn(
  { service, deployments }: { readonly service: WarehouseService; readonly deployments: Deployments },
  windows: readonly Micros[],
  { champion, elected, candidates, round }: EvaluateInput,
): Promise<RoundComparison> {
  const from = windows[0];
  const until = windows.at(-1);
  const comparison =
    from === undefined || until === undefined
      ? null
      : await service.compare({ from, until, champion, candidates });
  if (comparison === null) {
    await deployments.sync();
    // One that two others have followed is forecast no more: no device-window has it beside the candidate.
    if (!deployments.inForce().some(({ version }) => version === champion))
      throw new FedloopError('TooFewWindows', championChanged(deployments.champion(), champion), {
        hint: `${champion} is not measured any more, so there is nothing to compare with. Start another round.`,
      });
    const out = outOfForce(deployments, elected);
    if (out !== undefined)
      throw new FedloopError('TooFewWindows', takenOut(out), { hint: 'Start another round.' });
    throw new FedloopError('TooFewWindows', `no live window of round ${round} was evaluated in time`, {
      hint: 'Check that the fleet sends and a stream worker runs, or give the round a longer windowsTimeout.',
    });
  }
  return comparison;
}

/** Champion and candidates on the device-windows that all of them forecast. */
function scoresOf({ champion, candidates }: RoundComparison): readonly VersionScore[] {
  const championClusters = candidates[0]?.clusters ?? [];
  return [
    scoreOf(champion, championClusters, ({ championCorrect }) => championCorrect),
    ...candidates.map(({ counts, clusters }) =>
      scoreOf(counts, clusters, ({ candidateCorrect }) => candidateCorrect),
    ),
  ];
}

function scoreOf(
  counts: RoundComparison['champion'],
  clusters: readonly PairedCluster[],
  correctOf: (cluster: PairedCluster) => number,
): VersionScore {
  const { low, high } = accuracyInterval(clusters, correctOf, SCORE_CONFIDENCE);
  const { version, evaluations, correct, accuracy, bias, mae, skill, persistenceAccuracy } = counts;
  return {
    version,
    evaluations,
    correct,
    accuracy,
    accuracyCi95: [low, high],
    bias,
    mae,
    skill,
    persistenceAccuracy,
  };
}
