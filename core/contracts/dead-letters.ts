/**
 * Why the warehouse put a message aside instead of storing it. The set is closed, so that it can be a metric's label; `dead_letters` has
 * the details of each message.
 */
export const DEAD_LETTER_REASONS = {
  undecodable: 'a batch or record of the log cannot be read',
  invalid: 'it breaks the schema of its topic',
  'unknown-epoch': 'no claim in stream-checkpoints has its epoch, or it has none',
  'unseen-window': 'no event of its partition lies in its window or behind it',
  'unread-event': 'its partition has no event of its offset',
  unsigned: 'nobody has signed it whom FEDLOOP_TRUSTED_KEYS trusts',
  'not-storable': 'the database refused it, alone and again',
} as const;

export type DeadLetterReason = keyof typeof DEAD_LETTER_REASONS;
