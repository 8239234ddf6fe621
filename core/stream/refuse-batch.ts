import { UNDECODABLE_BATCH } from '../contracts/undecodable';
import { type PartitionEngine } from './engine';

/** A batch of the log that cannot be read counts as one event. */
export function refuseBatch(engine: PartitionEngine): 'malformed' {
  engine.detail = UNDECODABLE_BATCH;
  engine.counts.read += 1;
  engine.counts.malformed += 1;
  return 'malformed';
}
