import { anomalyRule } from '../../contracts/anomalies';
import { checkpointKeys, type Decision, type ResetRequest } from '../../contracts/checkpoints';
import { type Micros } from '../../contracts/time';
import { type DeployedVersion } from '../../model/deployments';
import { type ExpiredRecords } from '../../platform/kafka/log-gap';
import { type PartitionEngine } from '../engine';
import { type LoggedDecision } from './checkpoint-log';

type DecisionOf<Type> = Extract<Decision, { readonly type: Type }>;
type VersionDecision = DecisionOf<'activation' | 'deactivation'>;

/** Who decides, and the next source offset to read then. */
interface Decider {
  readonly partition: number;
  readonly epoch: number;
  readonly next: number;
}

/** A decision and its key in the log. */
export interface Keyed<Made extends Decision = Decision> {
  readonly key: string;
  readonly decision: Made;
}

/**
 * The decisions that the engine does not hold yet. One about events that are not in the source is no owner's: it would wait for ever, and all
 * behind it.
 * @param since offset in the log of the first that the engine lacks.
 * @param known source offset up to which predecessors may have read.
 */
export function decisionsSince(
  decisions: readonly LoggedDecision[],
  since: number,
  known: number,
): readonly LoggedDecision[] {
  return decisions.filter(({ logOffset, decision: { type, ...decision } }) => {
    const waits = type === 'idle' || type === 'watermark';
    return logOffset >= since && !(waits && 'offset' in decision && decision.offset > known);
  });
}

/** What to decide where the versions in force have changed: those that came into force are activated, those that left it deactivated. */
export function versionDecisions(
  engine: PartitionEngine,
  wanted: readonly DeployedVersion[],
  { partition, epoch }: Decider,
): readonly Keyed<VersionDecision>[] {
  const activations = wanted
    .filter(({ version }) => !engine.inForce.includes(version))
    .map(({ version, message, model, stage }) => {
      const from_window = engine.firstUnseenWindow(notBefore(stage.not_before, message.lineage.data_until));
      const { residualStddev: residual_stddev } = model.metadata;
      const key = checkpointKeys.activation(partition, version, epoch, from_window);
      const type = 'activation' as const;
      const errors_from = 'predecessor' as const;
      const { lineage } = message;
      const rules = {
        ...(lineage.adapters ? { adapters: 'ridge' as const } : {}),
        ...(lineage.anomalies ? { anomalies: anomalyRule(engine.settings.anomaly.falseAlarms) } : {}),
      };
      const decision = {
        type,
        partition,
        epoch,
        version,
        from_window,
        residual_stddev,
        errors_from,
        ...rules,
      };
      return { key, decision };
    });
  const deactivations = engine.inForce
    .filter((version) => !wanted.some((one) => one.version === version))
    .map((version) => {
      const until_window = engine.firstUnforecastWindow();
      const key = checkpointKeys.deactivation(partition, version, epoch, until_window);
      return { key, decision: { type: 'deactivation' as const, partition, epoch, version, until_window } };
    });
  return [...activations, ...deactivations];
}

/**
 * Never a window that the version was trained on: a partition that has read nothing yet, such as a new one, does not know what others have seen.
 * @param dataUntil start of the last window of its training
 */
function notBefore(asked: Micros | null, dataUntil: Micros | null): Micros | null {
  const bounds = [asked, dataUntil === null ? null : dataUntil + 1].filter((bound) => bound !== null);
  return bounds.length === 0 ? null : Math.max(...bounds);
}

/** @param snapshot of the devices' past that they begin with; null = there is none. */
export function historyDecision(
  snapshot: string | null,
  { partition, epoch }: Decider,
): Keyed<DecisionOf<'history'>> {
  const key = checkpointKeys.history(partition, epoch);
  return { key, decision: { type: 'history', partition, epoch, snapshot } };
}

/** @param believed up to when events aside count; undefined where none waits. */
export function idleDecision(
  { partition, epoch, next: offset }: Decider,
  believed: Micros | undefined,
): Keyed<DecisionOf<'idle'>> {
  const decision = { type: 'idle', partition, epoch, offset } as const;
  const key = checkpointKeys.idle(partition, offset, epoch, believed);
  return { key, decision: believed === undefined ? decision : { ...decision, believed_until: believed } };
}

/** What the topic let go before it was read. */
export function gapDecision(
  { from, until }: Pick<ExpiredRecords, 'from' | 'until'>,
  { partition, epoch }: Decider,
): Keyed<DecisionOf<'gap'>> {
  const key = checkpointKeys.gap(partition, from, epoch);
  return { key, decision: { type: 'gap', partition, epoch, from, until } };
}

/** The answer to a request to set the watermark back: it is refused when the partition is no longer as it was asked for. */
export function resetDecision(
  engine: PartitionEngine,
  asked: ResetRequest,
  { partition, epoch, next: offset }: Decider,
): Keyed<DecisionOf<'watermark'>> {
  const { request } = asked;
  const isStale = (asked.closed_until ?? -Infinity) !== engine.closedUntil;
  const to = isStale || asked.to >= engine.latestEvent ? null : asked.to;
  const key = checkpointKeys.watermark(partition, request, epoch);
  return { key, decision: { type: 'watermark', partition, epoch, offset, request, to } };
}
