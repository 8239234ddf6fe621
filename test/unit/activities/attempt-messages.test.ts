import { type IncomingRecord } from '../../../core/platform/kafka';
import { encodeFrame } from '../../../core/platform/frames';
import { MessagesByAttempt } from '../../../activities/shared/attempt-messages';

function selection(attempt: string): IncomingRecord {
  const message = { type: 'selection', round: 1, attempt, site: 'main', device_id: [`device of ${attempt}`] };
  return {
    partition: 0,
    offset: 0,
    timestampMillis: 0,
    key: Buffer.from('selection/1/main'),
    value: Buffer.from(JSON.stringify(message)),
    headers: {},
  };
}

it('keeps the messages of an attempt that a step has asked for, whatever others write', () => {
  const messages = new MessagesByAttempt();
  messages.asked('ours');
  messages.file(selection('ours'));
  for (let forged = 0; forged < 100; forged += 1) messages.file(selection(`forged ${forged}`));
  const chosen = [...messages.asked('ours').selected.values()].flatMap((sites) => [...sites.values()]);
  expect(chosen).toEqual([new Set(['device of ours'])]);
});

it('forgets attempts that nobody asks for', () => {
  const messages = new MessagesByAttempt();
  for (let forged = 0; forged < 100; forged += 1) messages.file(selection(`forged ${forged}`));
  expect(messages.asked('forged 0').selected.size).toBe(0);
});

const NUMBERS = new Float32Array(1024 * 1024);

function update(attempt: string, chunk: number): IncomingRecord {
  const claims = { rows: 1, self_reported_accuracy: 1, self_reported_loss: 1, base_loss: 1 };
  const header = {
    type: 'update',
    round: 1,
    attempt,
    site: 'main',
    chunk,
    base_version: 'v0',
    parameters: NUMBERS.length,
    devices: [{ device_id: 'ghost', ...claims }],
    left_out: [],
  };
  const value = encodeFrame(header, NUMBERS);
  return { ...selection(attempt), key: Buffer.from(`update/1/main/${chunk}`), value };
}

function bytesKept(messages: MessagesByAttempt, attempt: string): number {
  return messages.asked(attempt).updates.reduce((sum, { deltas }) => sum + deltas.byteLength, 0);
}

it('keeps 32 MB at most of an attempt that no site has begun, and all of one that is under way', () => {
  const messages = new MessagesByAttempt();
  for (let chunk = 0; chunk < 20; chunk += 1) messages.file(update('ghost', chunk));
  messages.file(selection('ours'));
  for (let chunk = 0; chunk < 20; chunk += 1) messages.file(update('ours', chunk));
  expect(bytesKept(messages, 'ghost')).toBeLessThanOrEqual(32 * 1024 * 1024);
  expect(bytesKept(messages, 'ours')).toBe(20 * NUMBERS.byteLength);
});
