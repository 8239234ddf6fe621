import fc from 'fast-check';
import { type Hints } from '../../core/ingest/inspect/hints';

/** A fleet's sample in some shape that people have, with what a right reading of it gives. */
export interface ShapedFleet {
  /** JSON texts. */
  readonly messages: readonly string[];
  readonly devices: number;
  readonly readings: number;
  /** What a person has to say, because no sample can show it. */
  readonly hints: Hints;
  readonly sentinel: number | undefined;
  /** Readings that are the sentinel. */
  readonly missing: number;
  /** Messages without a reading. */
  readonly others: number;
}

const START_SECONDS = 1_767_225_600;
const STEPS = 40;

interface Reading {
  readonly device: number;
  /** Seconds since 1970, whole or with halves. */
  readonly at: number;
  /** As JSON. */
  readonly value: string;
}

interface Dialect {
  readonly id: (device: number) => string;
  readonly time: (at: number) => string;
  readonly names: { readonly id: string; readonly time: string; readonly value: string };
  /** Fields beside the three, as JSON without its braces, with a comma before each. */
  readonly extras: (reading: Reading) => string;
}

const TIMES: Record<string, (at: number) => string> = {
  s: (at) => String(Math.floor(at)),
  'fraction of s': (at) => `${Math.floor(at)}.25`,
  ms: (at) => String(at * 1_000),
  us: (at) => String(at * 1_000_000),
  ns: (at) => `${at * 1_000}123456`,
  'text of s': (at) => `"${Math.floor(at)}"`,
  'text of ms': (at) => `"${at * 1_000}"`,
  iso: (at) => JSON.stringify(new Date(at * 1_000).toISOString()),
  'iso with offset': (at) =>
    JSON.stringify(new Date((at + 7_200) * 1_000).toISOString().replace('Z', '+02:00')),
  'iso with a blank': (at) =>
    JSON.stringify(new Date(at * 1_000).toISOString().slice(0, 19).replace('T', ' ')),
};

const IDS: Record<string, (device: number) => string> = {
  text: (device) => `"pump-${device}"`,
  number: (device) => String(1_000 + device),
  'text of a number': (device) => `"00${device}"`,
  'umlaut and blank': (device) => `"Kühlraum ${device}"`,
  eui: (device) => `"70B3D57ED000000${device}"`,
};

const EXTRAS: Record<string, Dialect['extras']> = {
  none: () => '',
  constants: () => ',"site":"A","hz":50,"gps":{"lat":48.1,"lon":11.5},"tags":["a","b"]',
  housekeeping: ({ device, at }) =>
    `,"battery":${3.3 + ((device + at) % 7) / 100},"rssi":${-70 - (at % 9)},"seq":${at}`,
  words: ({ at }) => `,"status":"${at % 3 === 0 ? 'ok' : 'warn'}","humidity":"n/a"`,
  'time of receipt': ({ at }) => `,"received_at":${(at + 1) * 1_000}`,
  zones: ({ device }) => `,"zone":"z${device % 2}","model":"M${device % 2}","floor":${device % 3}`,
};

const NAMES = [
  { id: 'deviceId', time: 'ts', value: 'temp' },
  { id: 'device_id', time: 'timestamp', value: 'power' },
  { id: 'id', time: 'time', value: 'value' },
  { id: 'sensor', time: 't', value: 'v' },
  { id: 'serialNumber', time: 'measuredAt', value: 'Flow Rate' },
  { id: 'asset_id', time: 'eventTime', value: 'kW' },
  { id: 'devEUI', time: 'datetime', value: 'co2' },
] as const;

const SHAPES: Record<
  string,
  (steps: readonly (readonly Reading[])[], dialect: Dialect) => Pick<ShapedFleet, 'messages' | 'hints'>
> = {
  flat: (steps, { id, time, names, extras }) => ({
    messages: steps
      .flat()
      .map(
        (one) =>
          `{"${names.id}":${id(one.device)},"${names.time}":${time(one.at)},"${names.value}":${one.value}${extras(one)}}`,
      ),
    hints: {},
  }),
  nested: (steps, { id, time, names, extras }) => ({
    messages: steps
      .flat()
      .map(
        (one) =>
          `{"meta":{"asset":{"${names.id}":${id(one.device)}}},"payload":{"${names.time}":${time(one.at)},"m":{"${names.value}":${one.value},"unit":"mm/s"}${extras(one)}}}`,
      ),
    hints: {},
  }),
  'mixed kinds': (steps, { id, time, names, extras }) => ({
    messages: steps
      .flat()
      .flatMap((one, index) => [
        `{"type":"reading","${names.id}":${id(one.device)},"${names.time}":${time(one.at)},"${names.value}":${one.value}${extras(one)}}`,
        ...(index % 5 === 0
          ? [
              `{"type":"heartbeat","${names.id}":${id(one.device)},"${names.time}":${time(one.at)},"firmware":"1.2"}`,
            ]
          : []),
      ]),
    hints: {},
  }),
  'array of readings': (steps, { id, time, names, extras }) => ({
    messages: steps.map(
      (some) =>
        `[${some.map((one) => `{"${names.id}":${id(one.device)},"${names.time}":${time(one.at)},"${names.value}":${one.value}${extras(one)}}`).join()}]`,
    ),
    hints: {},
  }),
  'array in an object': (steps, { id, time, names, extras }) => ({
    messages: steps.map(
      (some) =>
        `{"gateway":"g1","${names.time}":${time(some[0]?.at ?? 0)},"data":{"points":[${some.map((one) => `{"${names.id}":${id(one.device)},"${names.value}":${one.value}${extras(one)}}`).join()}]}}`,
    ),
    hints: {},
  }),
  wide: (steps, { time, names }) => ({
    messages: steps.map(
      (some) =>
        `{"${names.time}":${time(some[0]?.at ?? 0)},"n":3,${some.map((one) => `"flow_${one.device}":${one.value}`).join()}}`,
    ),
    hints: { wide: 'flow_*' },
  }),
  'wide in an object': (steps, { time, names }) => ({
    messages: steps.map(
      (some) =>
        `{"${names.time}":${time(some[0]?.at ?? 0)},"values":{${some.map((one) => `"d${one.device}":${one.value}`).join()}}}`,
    ),
    hints: { wide: '/values/*' },
  }),
  'an object of devices': (steps, { time, names, extras }) => ({
    messages: steps.map(
      (some) =>
        `{"${names.time}":${time(some[0]?.at ?? 0)},"devices":{${some.map((one) => `"d${one.device}":{"x":${one.value}${extras(one)}}`).join()}}}`,
    ),
    hints: { wide: '/devices/*/x' },
  }),
};

/** What makes a fleet: names of the tables above, and numbers. */
export interface FleetSpec {
  readonly shape: string;
  readonly time: string;
  readonly id: string;
  readonly extras: string;
  readonly names: number;
  readonly devices: number;
  readonly every: number;
  readonly size: number;
  readonly isText: boolean;
  readonly sentinel: number | undefined;
  readonly seed: number;
}

export const fleetSpecs: fc.Arbitrary<FleetSpec> = fc.record({
  shape: fc.constantFrom(...Object.keys(SHAPES)),
  time: fc.constantFrom(...Object.keys(TIMES)),
  id: fc.constantFrom(...Object.keys(IDS)),
  extras: fc.constantFrom(...Object.keys(EXTRAS)),
  names: fc.nat(NAMES.length - 1),
  devices: fc.integer({ min: 2, max: 8 }),
  every: fc.constantFrom(1, 10, 30, 60, 300, 3_600),
  size: fc.constantFrom(0.002, 1, 1_000, 1e8),
  isText: fc.boolean(),
  sentinel: fc.constantFrom(undefined, undefined, -999, -9999, 32_767),
  seed: fc.nat(1_000),
});

export function shapedFleet(spec: FleetSpec): ShapedFleet {
  const { shape, time, id, extras, names, devices, every, size, isText, sentinel, seed } = spec;
  // Among readings of that size a sentinel would be one of them.
  const ownSentinel = size <= 1 ? sentinel : undefined;
  const steps = Array.from({ length: STEPS }, (_, step) =>
    Array.from({ length: devices }, (__, device): Reading => {
      const wave = 20 + device + 4 * Math.sin(step / 7 + device) + noise(seed + step * 31 + device);
      const isSent = ownSentinel !== undefined && (step * devices + device) % 11 === 5;
      const number = isSent ? ownSentinel : Number((size * wave).toPrecision(9));
      return { device, at: START_SECONDS + step * every, value: isText ? `"${number}"` : String(number) };
    }),
  );
  const missing = steps
    .flat()
    .filter(({ value }) => Number(value.replaceAll('"', '')) === ownSentinel).length;
  const dialect = { id: IDS[id]!, time: TIMES[time]!, names: NAMES[names]!, extras: EXTRAS[extras]! };
  const shaped = SHAPES[shape]!(steps, dialect);
  const others = shaped.messages.filter((text) => text.includes('heartbeat')).length;
  return { ...shaped, others, devices, readings: STEPS * devices, sentinel: ownSentinel, missing };
}

/** From 0 to 1, without a pattern. */
function noise(index: number): number {
  const wave = Math.sin(index * 12.9898) * 43_758.5453;
  return wave - Math.floor(wave);
}
