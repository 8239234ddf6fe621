import fc from 'fast-check';
import { eventSchema } from '../../../core/contracts/events';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { emptyEvent } from '../../../core/stream/parse/event';
import { EventParser } from '../../../core/stream/parse/parse';

/** Events near the contract: each field there or not, with values that are right, nearly right or wrong. */
const events = fc.record(
  {
    device_id: fc.constantFrom('a', '', 'Kühlraum', 7, null, 'x'.repeat(256), 'x'.repeat(257)),
    timestamp: fc.constantFrom(
      '2026-01-01T12:00:00Z',
      '2026-01-01',
      '2026-02-30T12:00:00Z',
      '1767268800000',
      1_767_268_800_000,
      9_007_199_254_741,
      -9_007_199_254_740.99,
    ),
    temperature: fc.constantFrom(20, -1e150, 1e151, null, '20', true),
    data: fc.constantFrom(20, null, 'x'),
    humidity: fc.constantFrom(40, null, 'n/a'),
    pressure: fc.constantFrom(1_000, null),
    label: fc.constantFrom(true, false, 0, 1, 2, null, 'yes'),
    record_timestamp: fc.constantFrom('2026-01-01T12:00:00Z', 'noon', 5, 1e300, null),
    battery: fc.constantFrom(3.3, { cells: [1, 2] }),
  },
  { requiredKeys: [] },
);

describe('the contract of an event', () => {
  const schema = eventSchema(DEFAULT_TASK);
  const parser = new EventParser(DEFAULT_TASK);

  it('accepts what the stream takes, and nothing else', () => {
    fc.assert(
      fc.property(events, (event) => {
        const detail = parser.parse(Buffer.from(JSON.stringify(event)), emptyEvent(3));
        expect({ event, good: schema.safeParse(event).success }).toEqual({
          event,
          good: detail === undefined,
        });
      }),
      { seed: 14, numRuns: 2_000 },
    );
  });
});
