import { type AnalysisBlock, analysisBlockSchema, type FenceBlock } from '../../core/contracts/blocks';
import { covariateColumns, type Task } from '../../core/contracts/task';
import { parseJson } from '../../core/contracts/validation';
import { type WindowRing } from '../../core/federation/training/window-ring';
import { type IncomingRecord } from '../../core/platform/kafka';
import { type Logger } from '../../core/platform/log';
import { parseBlock } from '../../core/warehouse/sink/blocks';
import { type Origin, type Origins } from '../../core/warehouse/sink/origins';

type Remembered = AnalysisBlock | FenceBlock;

/**
 * Take records of `stream-analysis-results` into a site's ring. As in the warehouse, blocks that nothing in the logs stands behind are passed over, and so
 * are those of an epoch that is over: one of the far future would take the place of all that a device has.
 */
export function rememberBlocks(
  ring: WindowRing,
  belongs: (deviceId: string) => boolean,
  origins: Origins,
  log: Logger,
): (records: readonly IncomingRecord[]) => Promise<void> {
  const { task } = ring;
  const read = readerOf(task);
  const covariateNames = covariateColumns(task);
  /** By partition: of its present owner. */
  const epochs = new Map<number, number>();
  const remember = ({ window_start: windowStart, columns }: AnalysisBlock): void => {
    const covariates = covariateNames.map((name) => columns[name]);
    ring.noteClosed(windowStart);
    columns.device_id.forEach((deviceId, row) => {
      if (!belongs(deviceId)) return;
      ring.put(
        deviceId,
        windowStart,
        columns.avg[row] ?? NaN,
        covariates.map((means) => means?.[row]),
      );
    });
  };
  return async (records) => {
    const blocks = records.flatMap((record) => {
      const { partition, offset } = record;
      const block = read(record);
      if (block !== undefined) return [{ block, partition, offset, origin: originOf(block, record) }];
      log.debug({ partition, offset }, 'passed over a record of stream-analysis-results');
      return [];
    });
    await origins.prepare(blocks.map(({ origin }) => origin));
    for (const { block, partition, offset, origin } of blocks) {
      const fault = origins.faultOf(origin);
      const present = epochs.get(partition) ?? -1;
      if (fault !== undefined) log.warn({ partition, offset, ...fault }, 'passed over a block');
      else if (block.epoch < present)
        log.debug({ partition, offset, epoch: block.epoch }, 'passed over a block of an epoch that is over');
      else {
        epochs.set(partition, block.epoch);
        if (block.type === 'analysis') remember(block);
      }
    }
  };
}

/** Blocks and fences of the partition that their record stands in. */
function readerOf(task: Task): (record: IncomingRecord) => Remembered | undefined {
  const schema = analysisBlockSchema(task);
  return ({ partition, value }) => {
    const block = parseBlock(schema, parseJson(value), task.windowMicros);
    if (typeof block === 'string' || block.type === 'evaluation') return undefined;
    return block.partition === partition ? block : undefined;
  };
}

function originOf(block: Remembered, { partition, timestampMillis: recordMillis }: IncomingRecord): Origin {
  const windowStart = block.type === 'analysis' ? block.window_start : null;
  return { partition, epoch: block.epoch, windowStart, eventOffset: null, recordMillis };
}
