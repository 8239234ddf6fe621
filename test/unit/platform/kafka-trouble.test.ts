import { FedloopError } from '../../../core/contracts/errors';
import { orTooLarge } from '../../../core/platform/kafka/kafka-trouble';

describe('a batch that a topic is too small for', () => {
  it('is named with the topic and the setting, however deep the broker’s answer lies', () => {
    const answer = Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' });
    const found = orTooLarge(new Error('failed', { cause: answer }), 'model-updates');
    expect(found).toBeInstanceOf(FedloopError);
    expect(found).toMatchObject({
      message: 'the topic model-updates takes no batches as large as ours',
      hint: 'Remove its max.message.bytes, or set it to 1048576 or more.',
    });
  });

  it('is told from every other failure', () => {
    const other = new Error('away');
    expect(orTooLarge(other, 'model-updates')).toBe(other);
  });
});
