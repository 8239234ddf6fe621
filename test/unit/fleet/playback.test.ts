import fc from 'fast-check';
import { windowEvents, type FleetEvent } from '../../../fleet/events';
import { planFleet } from '../../../fleet/plan';
import { Playback, type LastRecord } from '../../../fleet/playback';
import { GRID, weather } from './synthetic';

const PARTITIONS = 3;
const plan = planFleet(weather(), { seed: 2, devices: 20, liveWindows: 72, scenario: 'everyday' });
const at = (windows: number): number => GRID.liveStart + windows * GRID.windowMicros;
const play = (last: readonly LastRecord[] = []): Playback => new Playback(plan, GRID, PARTITIONS, last);
const expected = [0, 1, 2, 3].flatMap((window) => windowEvents(plan, GRID, window));

const textsOf = (events: readonly FleetEvent[]): string[] =>
  events.map(({ sentMillis, value }) => `${sentMillis} ${value.toString()}`);

describe('a playback', () => {
  it('hands out every event once, in order, in pieces of any size', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (sizes) => {
        const playback = play();
        const taken: FleetEvent[] = [];
        for (let turn = 0; ; turn += 1) {
          const size = sizes[turn % sizes.length]!;
          const events = playback.nextEvents(size, at(4));
          taken.push(...events);
          if (events.length < size) break;
        }
        expect(textsOf(taken)).toEqual(textsOf(expected));
      }),
      { numRuns: 10 },
    );
  });

  it('rests mid-window and goes on exactly there', () => {
    const playback = play();
    const first = playback.nextEvents(1e6, at(2.2));
    expect(playback.position).toBe(at(2.2));
    expect(playback.liveWindow).toBe(2);
    expect(textsOf([...first, ...playback.nextEvents(1e6, at(4))])).toEqual(textsOf(expected));
  });

  it('has nothing to hand out up to where it stands', () => {
    const playback = play();
    playback.nextEvents(1e6, at(2));
    expect(playback.nextEvents(1e6, at(1))).toEqual([]);
    expect(playback.position).toBe(at(2));
  });

  it('knows when every partition has passed a time', () => {
    const playback = play();
    expect(playback.passed(at(0))).toBe(false);
    playback.nextEvents(1e6, at(1));
    expect(playback.passed(at(0.5))).toBe(true);
    expect(playback.passed(at(1))).toBe(false);
  });

  it('sends nothing twice when partitions were added to the topic', () => {
    const before = play();
    const sent = before.nextEvents(1e6, at(40));
    const last = Array.from({ length: PARTITIONS }, (_, partition) => {
      const { sentMillis, value } = sent.findLast((event) => before.partitionOf(event) === partition)!;
      return { partition, timestampMillis: sentMillis, value };
    });
    const grown = new Playback(plan, GRID, 2 * PARTITIONS, last);
    const again = grown.nextEvents(1e6, at(42));
    expect(Math.min(...again.map(({ sentMillis }) => sentMillis * 1_000))).toBeGreaterThan(at(39.9));
    expect(new Set(again.map((event) => grown.partitionOf(event))).size).toBeGreaterThan(PARTITIONS);
  });

  it('goes on behind whatever each partition holds, wherever a crash cut it off', () => {
    const whole = play();
    const lists = Array.from({ length: PARTITIONS }, (_, partition) =>
      expected.filter((event) => whole.partitionOf(event) === partition),
    );
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), {
          minLength: PARTITIONS,
          maxLength: PARTITIONS,
        }),
        (parts) => {
          const written = lists.map((list, partition) =>
            list.slice(0, Math.floor(parts[partition]! * list.length)),
          );
          const last = written.flatMap((list, partition): LastRecord[] => {
            const event = list.at(-1);
            return event === undefined
              ? []
              : [{ partition, timestampMillis: event.sentMillis, value: event.value }];
          });
          const resumed = play(last);
          const rest = resumed.nextEvents(1e6, at(4));
          written.forEach((list, partition) => {
            const all = [...list, ...rest.filter((event) => resumed.partitionOf(event) === partition)];
            // A repeated reading may be passed over when its twin was the last that arrived: nothing else may differ.
            const distinct = (events: readonly FleetEvent[]): string[] => [
              ...new Set(events.map(({ value }) => value.toString())),
            ];
            expect(distinct(all)).toEqual(distinct(lists[partition]!));
            expect(lists[partition]!.length - all.length).toBeLessThanOrEqual(1);
            expect(all.length).toBeLessThanOrEqual(lists[partition]!.length);
          });
        },
      ),
      { numRuns: 25 },
    );
  });
});
