import { Context } from '@temporalio/activity';
import { partsFor } from '../core/contracts/rounds';
import { needsRoot } from '../core/contracts/strategies';
import { sentIn, type MessageRange, type SitePlan } from '../core/contracts/steps';
import { TOPICS } from '../core/contracts/topics';
import { updateKey, type ScoreMessage } from '../core/contracts/updates';
import { scoreLocalModels, scoringPanel } from '../core/federation/panels/local-scoring';
import { rootOf } from '../core/federation/aggregation/root-update';
import { effectsOfFeedback } from '../core/federation/training/feedback-rules';
import { LocalTrainer } from '../core/federation/training/local-training';
import { collectTrainingRows } from '../core/federation/training/training-rows';
import { type OutgoingMessage } from '../core/platform/kafka';
import { seededRandom } from '../core/platform/random';
import { unitsOf, type Site } from './shared/site';
import { publishReports } from './shared/site-reports';

/**
 * Step 3: score every local model, of all sites, on this site's panel A, a hold-out cohort: devices that did not train, windows that
 * training never saw. Only counts leave the site. Local models are scored whatever the strategy weighs by, so that their claims can
 * be compared with their real accuracy.
 */
export async function scoreLocals(site: Site, plan: SitePlan, trainedTo: number): Promise<MessageRange> {
  const { dependencies } = site;
  const { weights: base } = site.base(plan).model;
  const panel = scoringPanel(await site.panelSamples(plan, 'A', 'long'));
  const predictor = await site.modelsOnSamples();
  if (needsRoot(plan.strategy)) await publishRoot(site, plan);
  const chunks = await dependencies.inbox.updates(plan, trainedTo);

  // Sent together at the end: two requests to the broker instead of one a chunk.
  const messages: OutgoingMessage[] = [];
  for (const { header, deltas } of chunks) {
    Context.current().cancellationSignal.throwIfAborted();
    // All of its devices were left out.
    if (header.devices.length === 0) continue;
    // Not weights of this network: aggregation leaves them out with their reason.
    if (deltas.length !== header.devices.length * base.length) continue;
    const message: ScoreMessage = {
      type: 'score',
      ...sentIn(plan, 'score'),
      site: dependencies.site,
      scored_site: header.site,
      scored_chunk: header.chunk,
      device_id: header.devices.map(({ device_id }) => device_id),
      ...(await scoreLocalModels(predictor, base, deltas, panel)),
    };
    messages.push({
      key: updateKey('score', plan.round, dependencies.site, header.site, header.chunk),
      value: JSON.stringify(message),
    });
  }
  return sendScores(dependencies, messages);
}

/** Train the devices of panel A as participants are trained, and publish what they come to; a site without rows there has nothing. */
async function publishRoot(site: Site, plan: SitePlan): Promise<void> {
  const { producer, feedback, store, site: name, threads } = site.dependencies;
  const { model } = site.base(plan);
  const effects = effectsOfFeedback(
    await feedback.latest(plan.champion),
    partsFor(plan.strategy, plan.parts),
  );
  const trainer = await LocalTrainer.create({
    shape: model.metadata.shape,
    settings: plan.training,
    proximal: 0,
    threads,
  });
  try {
    const { panels } = await site.planOf(plan);
    const range = { until: plan.trainUntil, windows: plan.training.windows };
    const { deltas } = await trainer.train(collectTrainingRows(store.ring, panels.A, range, unitsOf(model)), {
      base: model.weights,
      boundaryWidth: effects.boundaryWidth,
      random: seededRandom(plan.seed, 'root-update', plan.round, name),
    });
    const update = rootOf(deltas, model.weights.length);
    if (update === null) return;
    await publishReports(producer, [
      { type: 'root-update', ...sentIn(plan, 'score'), site: name, delta: [...update] },
    ]);
  } finally {
    await trainer.release();
  }
}

/** @returns the range sent; the last message goes alone, so that its own offset is known. */
async function sendScores(
  { producer, site }: Pick<Site['dependencies'], 'producer' | 'site'>,
  messages: readonly OutgoingMessage[],
): Promise<MessageRange> {
  await producer.send(TOPICS.updates.name, messages.slice(0, -1));
  const [position] = await producer.send(TOPICS.updates.name, messages.slice(-1));
  return { site, last: position?.offset ?? -1, count: messages.length };
}
