import { type CheckpointMessage, checkpointKeys } from '../../../core/contracts/checkpoints';
import { versionIdSchema } from '../../../core/contracts/ids';
import { PartitionLog } from '../../../core/stream/checkpoint-log';

const V1 = versionIdSchema.parse('v1');

/** A log that is written like a topic: offsets count up. */
function written(...messages: (CheckpointMessage | string | null)[]): PartitionLog {
  const log = new PartitionLog();
  messages.forEach((message, offset) => {
    log.apply(
      offset,
      keyOf(message),
      message === null ? null : Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
    );
  });
  return log;
}

function keyOf(message: CheckpointMessage | string | null): string {
  if (message === null || typeof message === 'string') return 'x';
  switch (message.type) {
    case 'claim':
      return checkpointKeys.claim(0, message.worker, 1);
    case 'checkpoint':
      return checkpointKeys.piece(0, message.epoch, message.sequence, message.index);
    case 'activation':
      return checkpointKeys.activation(0, message.version, message.epoch, message.from_window);
    case 'deactivation':
      return checkpointKeys.deactivation(0, message.version, message.epoch, message.until_window);
    case 'idle':
      return checkpointKeys.idle(0, message.offset, message.epoch);
    case 'history':
      return checkpointKeys.history(0, message.epoch);
  }
}

const claim = (worker: string): CheckpointMessage => ({ type: 'claim', partition: 0, worker });
const idle = (epoch: number, offset: number): CheckpointMessage => ({
  type: 'idle',
  partition: 0,
  epoch,
  offset,
});
const activation = (epoch: number): CheckpointMessage => ({
  type: 'activation',
  partition: 0,
  epoch,
  version: V1,
  from_window: null,
  residual_stddev: null,
});
const piece = (
  epoch: number,
  sequence: number,
  index: number,
  pieces: number,
  text: string,
): CheckpointMessage => ({
  type: 'checkpoint',
  partition: 0,
  epoch,
  sequence,
  index,
  pieces,
  data_base64: Buffer.from(text).toString('base64'),
});

describe('the log of a partition', () => {
  it('takes the offset of the latest claim for the epoch', () => {
    expect(written().epoch).toBe(-1);
    const log = written(claim('w1'), activation(0), claim('w2'));
    expect([log.epoch, log.worker, log.hadOwnerBefore]).toEqual([2, 'w2', true]);
    expect(written(claim('w1')).hadOwnerBefore).toBe(false);
  });

  it('holds what was decided under the epoch of its time', () => {
    const log = written(claim('w1'), activation(0), idle(0, 5), claim('w2'), idle(3, 9));
    expect(log.decisions.map(({ logOffset, decision }) => [logOffset, decision.type])).toEqual([
      [1, 'activation'],
      [2, 'idle'],
      [4, 'idle'],
    ]);
  });

  it('ignores what a worker decides that has lost the partition', () => {
    const log = written(claim('w1'), claim('w2'), activation(0), idle(0, 5), piece(0, 0, 0, 1, 'void'));
    expect(log.decisions).toEqual([]);
    expect(log.latestCheckpoint()).toBeUndefined();
  });

  it('ignores what it cannot understand', () => {
    expect(written('nonsense', '{"type":"claim"}', null, '[]').epoch).toBe(-1);
  });

  it('has the newest checkpoint of which all pieces are there', () => {
    const log = written(
      claim('w1'),
      piece(0, 0, 0, 2, 'ab'),
      piece(0, 0, 1, 2, 'cd'),
      piece(0, 1, 0, 2, 'new'),
    );
    expect(log.latestCheckpoint()).toMatchObject({
      epoch: 0,
      sequence: 0,
      logOffset: 2,
      data: Buffer.from('abcd'),
    });
  });

  it('is not confused by pieces left over from a longer checkpoint in the same place', () => {
    const log = written(
      claim('w1'),
      piece(0, 0, 0, 2, 'ab'),
      piece(0, 0, 1, 2, 'cd'),
      piece(0, 1, 0, 1, 'x'),
      piece(0, 2, 0, 1, 'yz'),
    );
    expect(log.latestCheckpoint()).toMatchObject({ sequence: 2, data: Buffer.from('yz') });
  });

  it('prefers the later epoch, and knows which pieces are then of no use', () => {
    const log = written(claim('w1'), piece(0, 7, 0, 1, 'old'), claim('w2'));
    expect(log.latestCheckpoint()).toMatchObject({ epoch: 0 });
    log.apply(3, checkpointKeys.piece(0, 2, 0, 0), Buffer.from(JSON.stringify(piece(2, 0, 0, 1, 'new'))));
    expect(log.latestCheckpoint()).toMatchObject({ epoch: 2, sequence: 0 });
    expect([0, 2, 3].map((epoch) => log.hasCheckpointOf(epoch))).toEqual([true, true, false]);
    const stale = log.keysOfPiecesBefore(2);
    expect(stale).toEqual(['checkpoint/0/0/1/0']);
    for (const key of stale) log.apply(4, key, null);
    expect(log.keysOfPiecesBefore(2)).toEqual([]);
  });
});
