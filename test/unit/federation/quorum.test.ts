import fc from 'fast-check';
import { DEFAULT_TASK, type Task } from '../../../core/contracts/task';
import { RING_WINDOWS } from '../../../core/federation/constants';
import { quorumOf, readinessOf, type WaitsFor } from '../../../core/federation/training/quorum';
import { WindowRing } from '../../../core/federation/training/window-ring';
import { type SiteReadiness } from '../../../core/contracts/readiness';

const W = DEFAULT_TASK.windowMicros;

/** A task whose readings stay true for so many windows. */
const holding = (windows: number): Task => ({
  ...DEFAULT_TASK,
  target: { ...DEFAULT_TASK.target, holdMicros: windows * W },
});

/** A ring whose devices have every `every`-th window from `from` until before `until`. */
function ringOf(
  devices: readonly {
    readonly id: string;
    readonly from: number;
    readonly until: number;
    readonly every?: number;
  }[],
  task = DEFAULT_TASK,
): WindowRing {
  const ring = new WindowRing(task);
  for (const { id, from, until, every = 1 } of devices)
    for (let window = from; window < until; window += every)
      ring.put(id, window * W, 20 + Math.sin(window), [50, 1_000]);
  return ring;
}

const fleet = (count: number, from: number, until: number) =>
  Array.from({ length: count }, (_, device) => ({ id: `d${device}`, from, until }));

const readiness = (ring: WindowRing): Promise<SiteReadiness> =>
  readinessOf(ring, quorumOf(ring), 336, () => undefined);

describe('who takes part in a round', () => {
  it('has no last window while there is none', () => {
    expect(quorumOf(new WindowRing(DEFAULT_TASK))).toEqual({ until: undefined, sending: [], silent: [] });
  });

  it.each([10, 100, RING_WINDOWS + 50])(
    'goes on without two of 120 devices, %i windows after they fell silent',
    (later) => {
      const devices = fleet(120, 0, 100 + later).map((device, index) =>
        index < 2 ? { ...device, until: 100 } : device,
      );
      const { until, sending, silent } = quorumOf(ringOf(devices));
      expect(until).toBe((99 + later) * W);
      expect(silent).toEqual(['d0', 'd1']);
      expect(sending).toHaveLength(118);
    },
  );

  it('has a device in again when it returns', () => {
    const ring = ringOf(
      fleet(120, 0, 200).map((device, at) => (at < 2 ? { ...device, until: 100 } : device)),
    );
    ring.put('d0', 199 * W, 20, [50, 1_000]);
    expect(quorumOf(ring).silent).toEqual(['d1']);
  });

  it('takes nobody for one who sends because of a history that is written while the stream runs', () => {
    const ring = new WindowRing(DEFAULT_TASK);
    for (let window = 1; window <= 40; window += 1) {
      ring.noteClosed(window * W);
      for (const device of ['a', 'b', 'c', 'd', 'e']) ring.put(device, window * W, 20, []);
    }
    for (let ghost = 0; ghost < 5; ghost += 1)
      for (let window = 10; window <= 40; window += 1)
        ring.put(`ghost-${ghost}`, window * W, 20, [], 'history');
    expect(quorumOf(ring)).toMatchObject({ until: 40 * W, sending: ['a', 'b', 'c', 'd', 'e'] });
  });

  it('waits for a device that is only late', () => {
    const devices = fleet(20, 0, 100).map((device, at) => (at === 0 ? { ...device, until: 95 } : device));
    expect(quorumOf(ringOf(devices))).toMatchObject({ until: 94 * W, silent: [] });
  });

  it('goes by a device’s own cadence: one that sends every third window is silent three times as late', () => {
    const devices = [...fleet(20, 0, 100), { id: 'rare', from: 0, until: 86, every: 3 }];
    expect(quorumOf(ringOf(devices)).silent).toEqual([]);
    expect(
      quorumOf(ringOf([...fleet(20, 0, 110), { id: 'rare', from: 0, until: 86, every: 3 }])).silent,
    ).toEqual(['rare']);
  });

  it('takes nobody for silent, and waits for nobody, while the last reading holds', () => {
    const devices = [...fleet(20, 0, 100), { id: 'still', from: 0, until: 80 }];
    const quorumWith = (hold: number) => quorumOf(ringOf(devices, holding(hold)));
    expect(quorumOf(ringOf(devices))).toMatchObject({ until: 99 * W, silent: ['still'] });
    expect(quorumWith(19)).toMatchObject({ until: 99 * W, silent: ['still'] });
    expect(quorumWith(20)).toMatchObject({ until: 99 * W, silent: [] });
    // One of a fleet that sends on change counts as far as its reading holds, and the fleet has closed windows.
    const onChange = [...fleet(20, 0, 100), { id: 'slow', from: 0, until: 97 }];
    expect(quorumOf(ringOf(onChange, holding(2)))).toMatchObject({ until: 98 * W, silent: [] });
    expect(quorumOf(ringOf(onChange, holding(20)))).toMatchObject({ until: 99 * W, silent: [] });
  });

  it('does not call a fleet silent because three clocks are a year ahead', () => {
    const ahead = 365 * 2_880;
    const devices = fleet(20, 0, 100).map((device, at) =>
      at < 3 ? { ...device, from: ahead, until: ahead + 5 } : device,
    );
    expect(quorumOf(ringOf(devices))).toMatchObject({ until: 99 * W, silent: [] });
  });

  it('counts every device once: as one that sends, or as silent', () => {
    const device = fc.record({
      from: fc.nat(60),
      windows: fc.integer({ min: 1, max: 60 }),
      every: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(device, { minLength: 1, maxLength: 30 }), (given) => {
        const ring = ringOf(
          given.map(({ from, windows, every }, at) => ({ id: `d${at}`, from, until: from + windows, every })),
        );
        const { sending, silent } = quorumOf(ring);
        expect([...sending, ...silent].sort()).toEqual(ring.devices().sort());
      }),
      { numRuns: 50 },
    );
  });
});

describe('how far a site is on its way to a round', () => {
  it('counts the windows of a fleet that has just begun', async () => {
    expect(await readiness(ringOf(fleet(100, 1_000, 1_013)))).toEqual({
      devices: 100,
      silent: 0,
      tooSparse: 0,
      trainable: 0,
      rows: 0,
      windows: 13,
      latestWindow: 1_012 * W,
    });
  });

  it('has enough after 24 + 8 windows: twelve targets of each device, since 20 of 24 lags are enough', async () => {
    expect(await readiness(ringOf(fleet(100, 0, 32)))).toMatchObject({
      trainable: 100,
      rows: 1_200,
      windows: 32,
    });
  });

  it('has enough of a fleet that sends on change, though no device sent just 32 windows ago', async () => {
    const devices = fleet(10, 0, 60).map((device, index) => ({ ...device, from: index % 2, every: 3 }));
    expect(await readiness(ringOf(devices, holding(5)))).toMatchObject({
      tooSparse: 0,
      trainable: 10,
      windows: 32,
    });
  });

  it('waits, once a version was trained, for no newcomers, however many they are', async () => {
    const ring = ringOf([
      ...fleet(10, 0, 100),
      ...fleet(30, 99, 100).map((one) => ({ ...one, id: `new-${one.id}` })),
    ]);
    const ready = (waitsFor: WaitsFor): Promise<SiteReadiness> =>
      readinessOf(ring, quorumOf(ring), 336, () => undefined, waitsFor);
    expect(await ready('everyone')).toMatchObject({ devices: 40, trainable: 10, windows: 1 });
    expect(await ready('trainable')).toMatchObject({ devices: 40, trainable: 10, windows: 32 });
  });

  it('names devices that are there and can never be forecast', async () => {
    const devices = [...fleet(10, 0, 60), { id: 'rare', from: 0, until: 60, every: 2 }];
    expect(await readiness(ringOf(devices))).toMatchObject({
      devices: 11,
      tooSparse: 1,
      trainable: 10,
      windows: 32,
    });
  });
});
