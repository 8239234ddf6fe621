import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { FedloopError } from '../core/contracts/errors';
import { partsFor } from '../core/contracts/rounds';
import { correctsGradients } from '../core/contracts/strategies';
import { sentIn, type SitePlan, type TrainResult } from '../core/contracts/steps';
import { historyWindows } from '../core/contracts/task';
import { MAX_UPDATE_BYTES, TOPICS } from '../core/contracts/topics';
import {
  addReasons,
  countReasons,
  leftOutReasonSchema,
  updateKey,
  type SelectionMessage,
  type UpdateHeader,
} from '../core/contracts/updates';
import { learnedBy, type ServerControl } from '../core/federation/training/control-variates';
import { effectsOfFeedback, type FeedbackEffects } from '../core/federation/training/feedback-rules';
import { LocalTrainer, type LocalTraining } from '../core/federation/training/local-training';
import { collectTrainingRows } from '../core/federation/training/training-rows';
import { type WindowRing } from '../core/federation/training/window-ring';
import { proximalOf } from '../core/federation/strategies';
import { controlOf } from '../core/federation/strategies/scaffold';
import { decodeState } from '../core/federation/strategies/server-state';
import { type Deployments } from '../core/model/deployments';
import { encodeFrame } from '../core/platform/frames';
import { seededRandom } from '../core/platform/random';
import { requireUndecided } from './shared/decided';
import { heartbeatProgress } from './shared/heartbeat';
import { longStep } from './shared/long-step';
import { unitsOf, type Site, type SiteRoles } from './shared/site';

/** What a chunk's header needs for one device, in bytes of JSON; ids are at most 256 characters but mostly short. */
const HEADER_BYTES_PER_DEVICE = 400;
/** Devices named in one message of the selection. */
const SELECTION_PER_MESSAGE = 5_000;

/** Chunks that were sent before this attempt at the activity: kept in its heartbeat, so that a retry starts after them. */
const sentSchema = z.object({
  chunks: z.int(),
  last: z.int(),
  trained: z.int(),
  leftOut: z.partialRecord(leftOutReasonSchema, z.int()),
});
type Sent = z.infer<typeof sentSchema>;
const NOTHING_SENT: Sent = { chunks: 0, last: -1, trained: 0, leftOut: {} };

/**
 * Step 2: train a local model on every participant's own windows, all in one batched graph, and send their updates in chunks. The
 * champion's live accuracy decides where training puts its effort.
 * @throws FedloopError `InvalidInput` for more training windows than the site remembers.
 */
export async function trainLocals(site: Site, plan: SitePlan): Promise<TrainResult> {
  const { brokers, deployments, feedback, site: name, store } = site.dependencies;
  const started = performance.now();
  requireWindows(plan.training.windows, store.ring);
  let sent = heartbeatProgress(sentSchema) ?? NOTHING_SENT;
  let of = 0;
  /** Heartbeats also show people how far the step is. */
  const progress = (): Sent & { readonly of: number } => ({ ...sent, of });
  const train = async (): Promise<FeedbackEffects> => {
    await requireUndecided(deployments, plan);
    const { participants, silent } = await site.planOf(plan);
    of = participants.length;
    const parts = partsFor(plan.strategy, plan.parts);
    const effects = effectsOfFeedback(await feedback.latest(plan.champion), parts);
    if (sent.chunks === 0) await publishSelection(site, plan, participants);
    for await (const trained of trainChunks(site, plan, { participants, silent }, effects, sent.chunks)) {
      sent = await sendChunk(site, plan, sent, trained);
      Context.current().heartbeat(progress());
    }
    return effects;
  };
  // A chunk may take minutes, by the round's number of passes.
  const effects = await longStep(brokers, train, progress);
  return {
    site: name,
    last: sent.last,
    count: sent.chunks,
    trained: sent.trained,
    leftOut: sent.leftOut,
    seconds: (performance.now() - started) / 1_000,
    feedbackUsed: effects.used,
  };
}

/** Refuse more training windows than the site remembers: without it the round would train on fewer rows, unnoticed. */
function requireWindows(windows: number, { capacity: remembered, task }: WindowRing): void {
  const lookedBackOn = historyWindows(task);
  const most = remembered - lookedBackOn;
  if (windows <= most) return;
  throw new FedloopError(
    'InvalidInput',
    `training.windows: at most ${most}, not ${windows}: a site remembers ${remembered} windows of a device, and the first ${lookedBackOn} are only looked back on`,
  );
}

/** Train the participants chunk by chunk, from chunk number `first` on, and name the silent devices in chunks behind them. */
async function* trainChunks(
  site: Site,
  plan: SitePlan,
  { participants, silent }: Pick<SiteRoles, 'participants' | 'silent'>,
  { boundaryWidth }: FeedbackEffects,
  first: number,
): AsyncGenerator<LocalTraining> {
  const { site: name, store, threads } = site.dependencies;
  const { model } = site.base(plan);
  const bytesPerDevice = model.weights.length * Float32Array.BYTES_PER_ELEMENT + HEADER_BYTES_PER_DEVICE;
  const range = { until: plan.trainUntil, windows: plan.training.windows };
  const perChunk = Math.max(1, Math.floor(MAX_UPDATE_BYTES / bytesPerDevice));
  const corrected = correctsGradients(plan.strategy);
  const server = corrected ? serverControl(site.dependencies.deployments, model.weights.length) : null;
  const trainer = await LocalTrainer.create({
    shape: model.metadata.shape,
    settings: plan.training,
    proximal: proximalOf(plan.strategy, plan.strategySettings),
    corrected,
    threads,
  });
  try {
    const chunks = [...pieces(participants, perChunk), ...pieces(silent, perChunk)];
    const training = Math.ceil(participants.length / perChunk);
    for (const [chunk, deviceIds] of chunks.entries()) {
      if (chunk < first) continue;
      Context.current().cancellationSignal.throwIfAborted();
      if (chunk >= training) yield silentDevices(deviceIds);
      else {
        const rows = collectTrainingRows(store.ring, deviceIds, range, unitsOf(model));
        const trained = await trainer.train(rows, {
          base: model.weights,
          boundaryWidth,
          random: seededRandom(plan.seed, 'local-training', plan.round, name, chunk),
          ...(corrected && {
            corrections: site.controls.corrections(rows.deviceIds, server, model.weights.length),
          }),
        });
        if (corrected) site.controls.learn(plan.attempt, server, learnedBy(trained, plan.training));
        yield trained;
      }
    }
  } finally {
    await trainer.release();
  }
}

/** The server's control variate as the last round that was decided has left it; null where there is none. */
function serverControl(
  deployments: Pick<Deployments, 'serverState'>,
  parameters: number,
): ServerControl | null {
  const current = deployments.serverState('current');
  if (current?.decided === undefined) return null;
  const control = controlOf(decodeState(current.state), parameters);
  return control && { control, movedBy: current.decided.attempt };
}

function silentDevices(deviceIds: readonly string[]): LocalTraining {
  const leftOut = deviceIds.map((device_id) => ({ device_id, reason: 'silent' as const }));
  return { devices: [], leftOut, deltas: new Float32Array(0) };
}

function pieces(ids: readonly string[], size: number): string[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, at) =>
    ids.slice(at * size, (at + 1) * size),
  );
}

/** @returns what has been sent by then. */
async function sendChunk(
  site: Site,
  plan: SitePlan,
  sent: Sent,
  { devices, leftOut, deltas }: LocalTraining,
): Promise<Sent> {
  const { producer, site: name } = site.dependencies;
  const header: UpdateHeader = {
    type: 'update',
    ...sentIn(plan, 'train'),
    site: name,
    chunk: sent.chunks,
    base_version: site.base(plan).version,
    parameters: site.base(plan).model.weights.length,
    devices,
    left_out: leftOut,
  };
  const [position] = await producer.send(TOPICS.updates.name, [
    { key: updateKey('update', plan.round, name, sent.chunks), value: encodeFrame(header, deltas) },
  ]);
  return {
    chunks: sent.chunks + 1,
    last: position?.offset ?? -1,
    trained: sent.trained + devices.length,
    leftOut: addReasons([sent.leftOut, countReasons(leftOut)]),
  };
}

async function publishSelection(site: Site, plan: SitePlan, participants: readonly string[]): Promise<void> {
  const messages: SelectionMessage[] = [];
  for (let first = 0; first < participants.length; first += SELECTION_PER_MESSAGE) {
    messages.push({
      type: 'selection',
      ...sentIn(plan, 'train'),
      site: site.dependencies.site,
      device_id: participants.slice(first, first + SELECTION_PER_MESSAGE),
    });
  }
  await site.dependencies.producer.send(
    TOPICS.updates.name,
    messages.map((message, index) => ({
      key: updateKey('selection', plan.round, message.site, index),
      value: JSON.stringify(message),
    })),
  );
}
