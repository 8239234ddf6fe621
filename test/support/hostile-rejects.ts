import fc from 'fast-check';
import { TOPICS } from '../../core/contracts/topics';
import { type HostileMessage } from './hostile-message';
import { EPOCHS, garbage } from './hostile-values';

/** What no header expects, and numbers that a header may have. */
const HOSTILE_HEADERS = ['because', '-1', '1.5', '9007199254740993', '2147483648', '__proto__', ''];

function header(...plausible: readonly string[]): fc.Arbitrary<string> {
  return fc.constantFrom(...plausible, ...HOSTILE_HEADERS);
}

/** Rejects say all in their headers. The epoch is one that nobody has: against who knows the present one, the broker's rights stand. */
const headers = fc.record(
  {
    reason: header('late', 'malformed'),
    'source-partition': header('0', '1'),
    'source-offset': header('0', '17', '1000000'),
    epoch: header(...EPOCHS.map(String)),
    fence: header(...EPOCHS.map(String)),
    path: header('/t'),
    detail: header('no-id', 'x'.repeat(100_000)),
    'source-topic': header('plant'),
  },
  { requiredKeys: [] },
);

/** Of a plausible place, with an epoch that nobody has or none at all. */
const forgedRejects = fc.record(
  {
    reason: fc.constant('late'),
    'source-partition': fc.constant('0'),
    'source-offset': fc.constantFrom('0', '17', '2147483648'),
    epoch: fc.constantFrom(...EPOCHS.map(String)),
  },
  { requiredKeys: ['reason', 'source-partition', 'source-offset'] },
);

export const rejects: fc.Arbitrary<HostileMessage> = fc.record({
  topic: fc.constantFrom(TOPICS.rejects.name, TOPICS.ingestRejects.name),
  message: fc.record({
    key: fc.constantFrom(null, '0'),
    value: garbage,
    headers: fc.oneof(headers, forgedRejects),
    partition: fc.constant(0),
  }),
});
