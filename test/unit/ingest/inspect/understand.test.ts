import { type Hints } from '../../../../core/ingest/inspect/hints';
import { understand } from '../../../../core/ingest/inspect/understand';

const START = 1_767_225_600;

/** 30 messages of three devices each, every ten seconds. */
function messages(make: (device: number, at: number, index: number) => object): readonly object[] {
  return Array.from({ length: 90 }, (_, index) => {
    return make(index % 3, START + Math.floor(index / 3) * 10, index);
  });
}

function find(sample: readonly object[], hints: Hints = {}) {
  return understand(
    sample.map((value) => ({ value, partition: undefined })),
    hints,
    { topic: undefined, keepsOrder: true, fleet: undefined, tolerance: undefined },
  );
}

const wave = (device: number, index: number): number =>
  20 + device + Math.sin(index / 5) + ((index * 7) % 11) / 50;
const flat = (device: number, at: number, index: number): object => ({
  id: `p${device}`,
  ts: at,
  temp: wave(device, index),
});

describe('what a sample leaves open', () => {
  it.each<[string, readonly object[], string, string]>([
    [
      'two ids',
      messages((d, at, i) => ({ ...flat(d, at, i), serial: `s${d}` })),
      'deviceId',
      '/id (3 values), /serial (3 values)',
    ],
    [
      'two times',
      messages((d, at, i) => ({ ...flat(d, at, i), time: at + (i % 4) })),
      'timestamp',
      '/ts, /time',
    ],
    [
      'two targets',
      messages((d, at, i) => ({ ...flat(d, at, i), rpm: 100 * wave(d, i + 3) })),
      'target',
      '/temp, /rpm',
    ],
    [
      'no target',
      messages((d, at) => ({ id: `p${d}`, ts: at, amps: 11.5 })),
      'target',
      '/amps never changes',
    ],
    [
      'no id',
      messages((d, at, i) => ({ ts: at, temp: wave(d, i) })),
      'deviceId',
      'no field looks like the id',
    ],
    ['no time', messages((d, _, i) => ({ id: `p${d}`, ts: i, temp: wave(d, i) })), 'timestamp', 'such as 0'],
    [
      'one field a device',
      messages((_, at, i) => ({ ts: at, t_a: wave(0, i), t_b: wave(1, i) })),
      'wide',
      't_*',
    ],
    [
      'two arrays',
      messages((d, at, i) => ({
        ts: at,
        a: [{ id: `p${d}`, v: wave(d, i) }],
        b: [{ id: `q${d}`, w: wave(d, i + 1) }],
      })),
      'each',
      '/a or /b',
    ],
    [
      'several readings at one instant',
      messages((d, at, i) => ({ id: `p${d}`, ts: at - (at % 60), temp: wave(d, i) })),
      'duplicates',
      'device and instant in common',
    ],
    [
      'one reading a device',
      messages((_, at, i) => ({ deviceId: `p${i}`, ts: at, temp: wave(i, i) })),
      'window',
      'no device has two',
    ],
  ])('is asked for: %s', (_, sample, asks, unclear) => {
    const finding = find(sample);
    expect(finding).toMatchObject({
      question: { asks, unclear: expect.stringContaining(unclear) as unknown },
    });
  });

  it('is answered by a hint', () => {
    const sample = messages((d, at, i) => ({
      ...flat(d, at, i),
      serial: `s${d}`,
      rpm: 100 * wave(d, i + 3),
    }));
    expect(find(sample, { deviceId: '/serial', target: '/rpm' })).toMatchObject({
      found: {
        file: {
          source: { fields: { device_id: '/serial', rpm: '/rpm' } },
          target: { sensor: 'rpm' },
          covariates: ['temp'],
        },
      },
    });
  });

  it('is how long a reading stays true where devices send on change', () => {
    const changes = Array.from({ length: 120 }, (_, index) => {
      const round = Math.floor(index / 2);
      const at = START + 20 * round + (round % 5 === 0 ? 0 : 11 * ((round * round) % 13) * 8);
      return { device_id: `o${index % 2}`, timestamp: at * 1_000 + index, temperature: 20 + (index % 7) };
    });
    expect(find(changes)).toMatchObject({ question: { asks: 'hold' } });
  });
});

describe('a hint that the sample contradicts', () => {
  const sample = messages((d, at, i) => ({ ...flat(d, at, i), place: 'hall' }));
  it.each<[Hints, string]>([
    [{ target: '/foo' }, 'none of the first 90 messages has /foo: they have /id, /ts, /temp, /place'],
    [{ deviceId: '/meta/id' }, 'none of the first 90 messages has /meta/id'],
    [{ target: '/place' }, '/place is no sensor: none of its values are numbers; one is "hall"'],
    [{ covariates: ['/hum'] }, 'has /hum'],
    [{ window: '5s' }, 'a window of 5 s is shorter than the 10 s from one reading'],
    [{ each: '/readings' }, 'no message has an array of readings at /readings'],
    [{ wide: 'flow_*' }, 'no field with numbers is named like flow_*'],
  ])('is refused in one sentence: %j', (hints, sentence) => {
    expect(() => find(sample, hints)).toThrow(sentence);
  });
});

describe('what is found in a sample', () => {
  it('is the default task where an event has its fields', () => {
    const sample = messages((d, at, i) => ({
      device_id: `d${d}`,
      timestamp: new Date(at * 1_000).toISOString(),
      temperature: wave(d, i),
      humidity: i % 4 === 0 ? 'n/a' : 40 + wave(d, i + 2),
      pressure: 1_000 + wave(d, i + 4),
    }));
    expect(find(sample)).toMatchObject({
      found: {
        isCanonical: true,
        file: { target: { sensor: 'temperature' }, covariates: ['humidity', 'pressure'] },
      },
    });
  });

  it('has numbers that mean "no reading", and none that only lie apart once', () => {
    const sample = messages((d, at, i) => ({
      ...flat(d, at, i),
      temp: i % 9 === 4 ? 85 : i === 50 ? 70 : wave(d, i),
    }));
    expect(find(sample)).toMatchObject({ found: { file: { target: { missing: [85] } } } });
  });

  it('does not take the readings of a long tail for missing ones', () => {
    const sample = messages((d, at, i) => ({
      ...flat(d, at, i),
      temp: i % 9 === 4 ? 80 + (i % 4) * 5 : wave(d, i),
    }));
    expect(find(sample)).toMatchObject({
      found: {
        file: { target: expect.not.objectContaining({ missing: expect.anything() as unknown }) as unknown },
      },
    });
  });

  it('is a watermark of twice the lateness, and an idle time that goes with it', () => {
    const sample = [...messages(flat)];
    const late = sample.splice(30, 3);
    sample.splice(75, 0, ...late);
    expect(find(sample)).toMatchObject({ found: { file: { watermark: '5m', idle: '5m' } } });
  });

  it('is one device, which is refused until somebody names its field', () => {
    const sample = messages(flat).filter((_, index) => index % 3 === 0);
    expect(() => find(sample)).toThrow('the sample has one device, and a round needs 4');
    expect(find(sample, { deviceId: '/id' })).toMatchObject({
      found: { rhythm: { devices: 1 }, notes: [expect.stringContaining('one device') as unknown] },
    });
  });

  it('is a unit beside the reading, a name that says something, and counters left out', () => {
    const sample = messages((d, at, i) => ({
      meta: { id: `p${d}` },
      payload: {
        at: at * 1_000,
        vibration: { rms: wave(d, i), unit: 'mm/s' },
        amps: 11.5,
        starts: i,
        lat: 48 + i / 1e6,
      },
    }));
    expect(find(sample)).toMatchObject({
      found: { file: { target: { sensor: 'vibration_rms', unit: 'mm/s' }, covariates: [] } },
    });
  });
});

describe('messages with the fields of an event', () => {
  const event = (device: number, at: number, index: number): object => ({
    device_id: `p${device}`,
    timestamp: at * 1_000,
    temperature: wave(device, index),
  });
  const isCanonical = (extra: string): unknown => {
    const sample = messages((d, at, i) => {
      const text = JSON.stringify(event(d, at, i)).slice(0, -1);
      return JSON.parse(`${text}${extra}}`) as object;
    });
    return find(sample, { target: '/temperature' });
  };

  it.each([
    '',
    ',"place":"hall"',
    ',"label":true',
    ',"data":1.5',
    ',"record_timestamp":1767225600000',
    ',"meta":{"a":[{}]}',
  ])('are read as they are, also with %s', (extra) => {
    expect(isCanonical(extra)).toMatchObject({ found: { isCanonical: true } });
  });

  it.each([
    ',"label":"Pump 1"',
    ',"data":{"x":1}',
    ',"record_timestamp":"yesterday"',
    ',"constructor":"ACME"',
    ',"meta":{"__proto__":1}',
    `,"meta":${'['.repeat(20)}${']'.repeat(20)}`,
  ])('go through the ingest worker with %s, which stream workers would put aside', (extra) => {
    expect(isCanonical(extra)).toMatchObject({
      found: { isCanonical: false, rhythm: { devices: 3 } },
    });
  });
});

it('refuses a covariate that is the target', () => {
  const sample = messages(flat);
  expect(() => find(sample, { target: '/temp', covariates: ['/temp'] })).toThrow('/temp is named twice');
});

it('says that a given unit of time fits no field', () => {
  expect(find(messages(flat), { timeUnit: 'ms' })).toMatchObject({
    question: { unclear: expect.stringContaining('in milliseconds, as --time-unit says') as string },
  });
});
