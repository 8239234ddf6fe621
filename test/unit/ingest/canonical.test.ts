import * as fc from 'fast-check';
import { eventSchema } from '../../../core/contracts/events';
import { sourceSchema } from '../../../core/contracts/source';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { EventWriter } from '../../../core/ingest/canonical';
import { compileMapping } from '../../../core/ingest/mapping';
import { type MappedReading } from '../../../core/ingest/readings';

const CANONICAL = compileMapping(sourceSchema.parse({ fields: {} }), DEFAULT_TASK);
const WRITER = new EventWriter(DEFAULT_TASK);

const value = fc.double({ noNaN: true, min: -1e150, max: 1e150 }).map((number) => number + 0);
const instant = fc.integer({ min: 0, max: 4_102_444_800_000_000 });
const reading: fc.Arbitrary<MappedReading> = fc.record({
  deviceId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  micros: instant,
  recordMicros: fc.option(instant, { nil: undefined }),
  label: fc.option(fc.boolean(), { nil: undefined }),
  values: fc.tuple(value, fc.oneof(value, fc.constant(NaN)), fc.oneof(value, fc.constant(NaN))),
  badValues: fc.constant([]),
});

describe('an event written of a reading', () => {
  it('says the same reading when it is read', () => {
    fc.assert(
      fc.property(reading, (written) => {
        const { readings, rejects } = CANONICAL.ofBytes(Buffer.from(WRITER.write(written)));
        expect(rejects).toEqual([]);
        expect(readings).toEqual([written]);
      }),
    );
  });

  it('is an event of the public topic', () => {
    const schema = eventSchema(DEFAULT_TASK);
    fc.assert(
      fc.property(reading, (written) => {
        expect(schema.safeParse(JSON.parse(WRITER.write(written))).success).toBe(true);
      }),
    );
  });
});

describe('any message', () => {
  it('gives at least one reading or one reject, and never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          for (const parts of [{ fields: {} }, { each: '/' }, { each: '/a' }, { wide: '*' }]) {
            const { readings, rejects } = compileMapping(sourceSchema.parse(parts), DEFAULT_TASK).ofBytes(
              bytes,
            );
            expect(readings.length + rejects.length).toBeGreaterThan(0);
          }
        },
      ),
    );
  });
});
