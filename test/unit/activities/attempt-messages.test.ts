import { type IncomingRecord } from '../../../core/platform/kafka';
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
  expect([...messages.asked('ours').selected.values()]).toEqual([new Set(['device of ours'])]);
});

it('forgets attempts that nobody asks for', () => {
  const messages = new MessagesByAttempt();
  for (let forged = 0; forged < 100; forged += 1) messages.file(selection(`forged ${forged}`));
  expect(messages.asked('forged 0').selected.size).toBe(0);
});
