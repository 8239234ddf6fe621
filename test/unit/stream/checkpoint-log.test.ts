import {
  type CheckpointMessage,
  type CheckpointPiece,
  checkpointKeys,
} from '../../../core/contracts/checkpoints';
import { versionIdSchema } from '../../../core/contracts/ids';
import { PartitionLog } from '../../../core/stream/ownership/checkpoint-log';
import { piecesOf, readPiece } from '../../../core/stream/ownership/checkpoint-chunks';
import { CHECKPOINT_PIECE_BYTES } from '../../../core/stream/limits';

const V1 = versionIdSchema.parse('v1');

/** A piece of state and its bytes as text. */
type Piece = CheckpointPiece & { readonly text: string };
type Message = CheckpointMessage | Piece | string | null;

/** A log that is written like a topic: offsets count up. */
function written(...messages: Message[]): PartitionLog {
  const log = new PartitionLog();
  messages.forEach((message, offset) => {
    log.apply(offset, keyOf(message), valueOf(message));
  });
  return log;
}

function valueOf(message: Message): Buffer | null {
  if (message === null) return null;
  if (typeof message === 'string') return Buffer.from(message);
  if (message.type !== 'checkpoint') return Buffer.from(JSON.stringify(message));
  const { text, ...head } = message;
  const json = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  return Buffer.concat([length, json, Buffer.from(text)]);
}

function keyOf(message: Message): string {
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
    case 'reset-request':
      return checkpointKeys.resetRequest(0, message.request);
    case 'watermark':
      return checkpointKeys.watermark(0, message.request, message.epoch);
    case 'idle':
      return checkpointKeys.idle(0, message.offset, message.epoch);
    case 'gap':
      return checkpointKeys.gap(0, message.from, message.epoch);
    case 'history':
      return checkpointKeys.history(0, message.epoch);
    case 'start':
      return checkpointKeys.start(0, message.epoch);
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
const piece = (epoch: number, sequence: number, index: number, pieces: number, text: string): Piece => ({
  type: 'checkpoint',
  partition: 0,
  epoch,
  sequence,
  index,
  pieces,
  text,
});

describe('the log of a partition', () => {
  it('has the offset of the latest claim as its epoch', () => {
    expect(written().epoch).toBe(-1);
    expect(written(claim('w1'), activation(0), claim('w2')).epoch).toBe(2);
  });

  it('knows a partition that a worker may have read from one that was only claimed and activated', () => {
    const history: CheckpointMessage = { type: 'history', partition: 0, epoch: 0, snapshot: null };
    expect(written(claim('w1'), claim('w2')).mayHaveBeenRead).toBe(false);
    expect(written(claim('w1'), activation(0), claim('w2')).mayHaveBeenRead).toBe(false);
    expect(written(claim('w1'), history, claim('w2')).mayHaveBeenRead).toBe(true);
    // Too late: its writer has lost the partition, and stops before the first event.
    expect(written(claim('w1'), claim('w2'), history).mayHaveBeenRead).toBe(false);
    expect(written(claim('w1'), piece(0, 0, 0, 1, 'state'), claim('w2')).mayHaveBeenRead).toBe(true);
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
    const log = written(claim('w1'), piece(0, 0, 0, 1, 'old'), claim('w2'));
    expect(log.latestCheckpoint()).toMatchObject({ epoch: 0 });
    log.apply(3, checkpointKeys.piece(0, 2, 0, 0), valueOf(piece(2, 0, 0, 1, 'new')));
    expect(log.latestCheckpoint()).toMatchObject({ epoch: 2, sequence: 0 });
    const stale = log.keysOfPiecesBefore(2);
    expect(stale).toEqual(['checkpoint/0/0/0/0']);
    for (const key of stale) log.apply(4, key, null);
    expect(log.keysOfPiecesBefore(2)).toEqual([]);
  });

  it('keeps a whole checkpoint while the next one comes piece by piece', () => {
    const log = written(
      claim('w1'),
      piece(0, 0, 0, 1, 'first'),
      piece(0, 1, 0, 2, 'sec'),
      piece(0, 1, 1, 2, 'ond'),
      piece(0, 2, 0, 2, 'thi'),
    );
    expect(log.latestCheckpoint()).toMatchObject({ sequence: 1, data: Buffer.from('second') });
    log.apply(5, checkpointKeys.piece(0, 0, 2, 1), valueOf(piece(0, 2, 1, 2, 'rd')));
    expect(log.latestCheckpoint()).toMatchObject({ sequence: 2, data: Buffer.from('third') });
  });

  it('passes over pieces that are cut short or none', () => {
    const log = written(claim('w1'), piece(0, 0, 0, 1, 'good'));
    for (const value of [
      Buffer.alloc(0),
      Buffer.from([1]),
      Buffer.from([255, 0, 0, 0, 1]),
      Buffer.from([2, 0, 0, 0, 123, 125]),
    ])
      log.apply(2, checkpointKeys.piece(0, 0, 1, 0), value);
    expect(log.latestCheckpoint()).toMatchObject({ data: Buffer.from('good') });
  });
});

describe('checkpoints that are damaged', () => {
  const state = (text: string, sequence: number): { key: string; value: Buffer } => {
    const [only] = piecesOf(Buffer.from(text), { partition: 0, epoch: 0, sequence });
    if (only === undefined) throw new Error('no piece');
    return only;
  };
  const logOf = (...pieces: readonly { readonly key: string; readonly value: Buffer }[]): PartitionLog => {
    const log = written(claim('w1'));
    pieces.forEach(({ key, value }, i) => {
      log.apply(i + 1, key, value);
    });
    return log;
  };

  it('are told by their checksum, counted, and the one before serves', () => {
    const damaged = state('second', 1);
    damaged.value.write('X', damaged.value.length - 1);
    const log = logOf(state('first', 0), damaged);
    expect(log.checkpoints()).toMatchObject([{ sequence: 0, data: Buffer.from('first') }]);
    expect(log.damagedCheckpoints).toBe(1);
  });

  it('leave the one before the newest to fall back on', () => {
    const log = logOf(state('first', 0), state('second', 1), state('third', 2));
    expect(log.checkpoints().map(({ sequence }) => sequence)).toEqual([2, 1]);
    expect(log.damagedCheckpoints).toBe(0);
  });
});

describe('state in pieces', () => {
  it('is the same when put together again, in pieces that a message can carry', () => {
    const state = Buffer.from(Uint8Array.from({ length: 2 * CHECKPOINT_PIECE_BYTES + 7 }, (_, i) => i * 31));
    const pieces = piecesOf(state, { partition: 3, epoch: 9, sequence: 4 });
    expect(pieces.map(({ head }) => [head.index, head.pieces, head.epoch])).toEqual([
      [0, 3, 9],
      [1, 3, 9],
      [2, 3, 9],
    ]);
    const read = pieces.map(({ value }) => readPiece(value));
    expect(read.map((one) => one?.head)).toEqual(pieces.map(({ head }) => head));
    expect(Buffer.concat(read.flatMap((one) => one?.bytes ?? [])).equals(state)).toBe(true);
    expect(Math.max(...pieces.map(({ value }) => value.length))).toBeLessThan(900_000);
  });
});
