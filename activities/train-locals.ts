import { Context } from '@temporalio/activity';
import { z } from 'zod';
import { type SitePlan, type TrainResult } from '../core/contracts/steps';
import { MAX_UPDATE_BYTES, TOPICS } from '../core/contracts/topics';
import {
  leftOutReasonSchema,
  updateKey,
  type SelectionMessage,
  type UpdateHeader,
} from '../core/contracts/updates';
import { effectsOfFeedback } from '../core/federation/training/feedback-rules';
import { LocalTrainer, type LocalTraining } from '../core/federation/training/local-training';
import { settingsFor, strategyByName } from '../core/federation/strategies';
import { parameterCount, type NetworkShape } from '../core/model/types';
import { encodeFrame } from '../core/platform/frames';
import { seededRandom } from '../core/platform/random';
import { HEARTBEAT_MS, heartbeatProgress, withHeartbeat } from './shared/heartbeat';
import { unitsOf, type Site } from './shared/site';

/** What the header says of one device, in bytes of JSON; ids are at most 256 characters but mostly short. */
const HEADER_BYTES_PER_DEVICE = 400;
/** Devices named in one message of the selection. */
const SELECTION_PER_MESSAGE = 5_000;

/** Chunks that were sent before this attempt at the activity: kept in its heartbeat, so that a retry goes on behind them. */
const sentSchema = z.object({
  chunks: z.int(),
  last: z.int(),
  trained: z.int(),
  leftOut: z.partialRecord(leftOutReasonSchema, z.int()),
});
type Sent = z.infer<typeof sentSchema>;

/**
 * Step 2: train a local model on every participant's own windows, all in one batched graph, and send their updates in chunks. What
 * the live stream said of the champion decides where training puts its effort.
 */
export async function trainLocals(site: Site, plan: SitePlan): Promise<TrainResult> {
  const { dependencies } = site;
  const started = performance.now();
  await dependencies.deployments.sync();
  const champion = site.champion(plan);
  const { participants } = await site.planOf(plan);
  const effects = effectsOfFeedback(await dependencies.feedback.latest(plan.champion), plan.parts);
  const { shape } = champion.model.metadata;
  const perChunk = devicesPerChunk(shape);

  let sent: Sent = heartbeatProgress(sentSchema) ?? { chunks: 0, last: -1, trained: 0, leftOut: {} };
  /** What the round's live view shows meanwhile. */
  const standing = (): Sent & { readonly of: number } => ({ ...sent, of: participants.length });
  if (sent.chunks === 0) await publishSelection(site, plan, participants);
  // A chunk may take minutes, by the number of passes that the round asks for.
  await withHeartbeat(
    HEARTBEAT_MS,
    async () => {
      const strategy = strategyByName(plan.strategy);
      const trainer = await LocalTrainer.create({
        shape,
        settings: plan.training,
        proximal: strategy.proximal(settingsFor(strategy, plan.strategySettings)),
        threads: dependencies.threads,
      });
      try {
        for (let chunk = sent.chunks; chunk * perChunk < participants.length; chunk += 1) {
          Context.current().cancellationSignal.throwIfAborted();
          const trained = await trainer.train({
            ring: dependencies.store.ring,
            deviceIds: participants.slice(chunk * perChunk, (chunk + 1) * perChunk),
            until: plan.trainUntil,
            units: unitsOf(champion.model),
            base: champion.model.weights,
            edgeWidth: effects.edgeWidth,
            random: seededRandom(plan.seed, 'local-training', plan.round, dependencies.site, chunk),
          });
          sent = {
            chunks: chunk + 1,
            last: await publishUpdates(site, plan, chunk, shape, trained),
            trained: sent.trained + trained.devices.length,
            leftOut: addReasons(sent.leftOut, trained.leftOut),
          };
          Context.current().heartbeat(standing());
        }
      } finally {
        await trainer.release();
      }
    },
    standing,
  );
  const { chunks: count, ...totals } = sent;
  const seconds = (performance.now() - started) / 1_000;
  return { site: dependencies.site, count, ...totals, seconds, feedbackUsed: effects.used };
}

/** As many as one message holds. */
function devicesPerChunk(shape: NetworkShape): number {
  const bytes = parameterCount(shape) * Float32Array.BYTES_PER_ELEMENT + HEADER_BYTES_PER_DEVICE;
  return Math.max(1, Math.floor(MAX_UPDATE_BYTES / bytes));
}

/** @returns the offset of the message; −1 when the broker names none. */
async function publishUpdates(
  { dependencies: { site, producer } }: Site,
  plan: SitePlan,
  chunk: number,
  shape: NetworkShape,
  { devices, leftOut, deltas }: LocalTraining,
): Promise<number> {
  const header: UpdateHeader = {
    type: 'update',
    round: plan.round,
    attempt: plan.attempt,
    site,
    chunk,
    base_version: plan.champion,
    parameters: parameterCount(shape),
    devices,
    left_out: leftOut,
  };
  const key = updateKey('update', plan.round, site, chunk);
  const [position] = await producer.send(TOPICS.updates.name, [{ key, value: encodeFrame(header, deltas) }]);
  return position?.offset ?? -1;
}

async function publishSelection(site: Site, plan: SitePlan, participants: readonly string[]): Promise<void> {
  const messages: SelectionMessage[] = [];
  for (let first = 0; first < participants.length; first += SELECTION_PER_MESSAGE) {
    messages.push({
      type: 'selection',
      round: plan.round,
      attempt: plan.attempt,
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

function addReasons(counts: Sent['leftOut'], leftOut: UpdateHeader['left_out']): Sent['leftOut'] {
  const sum = { ...counts };
  for (const { reason } of leftOut) sum[reason] = (sum[reason] ?? 0) + 1;
  return sum;
}
