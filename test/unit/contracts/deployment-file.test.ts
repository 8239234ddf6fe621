import fc from 'fast-check';
import { assertSameFleet, planDeployment } from '../../../core/contracts/deployment-file';
import { DEFAULT_FLEET } from '../../../core/contracts/ids';
import { DEFAULT_STREAM_SETTINGS, durationMillis, durationText } from '../../../core/contracts/settings';
import * as yaml from 'yaml';
import { parseDeploymentFile } from '../../../core/platform/deployment-file';

const planOf = (text: string): ReturnType<typeof planDeployment> =>
  planDeployment(parseDeploymentFile(text, 'fedloop.yaml', yaml));

function failureOf(text: string): unknown {
  try {
    return planOf(text);
  } catch (thrown) {
    return thrown;
  }
}

const PUMPS = `
fleet: pumps
source:
  topic: plant.telemetry
  fields: {device_id: /meta/id, timestamp: {path: /ts, unit: s}, vibration: /v/rms, current: {path: /amps, scale: 0.001}}
target: {sensor: vibration, unit: mm/s, tolerance: 0.5, min: 0, max: 80, missing: [-999], hold: 5m}
covariates: [current]
window: 1m
watermark: 2m
`;

/** Nine times nine times nine … texts. */
const BOMB = [
  'a: &a [x,x,x,x,x,x,x,x,x]',
  ...['ab', 'bc', 'cd', 'de'].map(([from, to]) => `${to}: &${to} [${Array(9).fill(`*${from}`).join()}]`),
].join('\n');

describe('a deployment file', () => {
  it('that is empty means the defaults', () => {
    expect(planOf('')).toEqual({
      fleet: DEFAULT_FLEET,
      settings: DEFAULT_STREAM_SETTINGS,
      measuresTolerance: false,
    });
  });

  it('describes a fleet: its name, source, sensors, window and limits', () => {
    const { fleet, settings, measuresTolerance } = planOf(PUMPS);
    expect(fleet).toBe('pumps');
    expect(measuresTolerance).toBe(false);
    expect(settings).toMatchObject({
      task: {
        target: { sensor: 'vibration', unit: 'mm/s', tolerance: 0.5, min: 0, holdMicros: 300_000_000 },
        covariates: [{ sensor: 'current', unit: '' }],
        windowMicros: 60_000_000,
      },
      watermarkMicros: 120_000_000,
      source: { topic: 'plant.telemetry', from: 'earliest' },
      idleMillis: DEFAULT_STREAM_SETTINGS.idleMillis,
    });
  });

  it('names inputs of rounds, as they were written', () => {
    const nightly = { windows: 12, approval: 'manual', gate: { margin: 0.001 } };
    expect(planOf(JSON.stringify({ presets: { nightly } })).presets).toEqual({ nightly });
  });

  it.each([
    [{ nightly: { window: 12 } }, 'presets.nightly: '],
    [{ nightly: { gate: { margin: 2 } } }, 'presets.nightly.gate.margin: '],
    [{ 'Every night': {} }, 'presets.'],
  ])('with the presets %j is refused', (presets, message) => {
    expect(() => planOf(JSON.stringify({ presets }))).toThrow(message);
  });

  it('leaves the tolerance to measurement where it gives none', () => {
    expect(planOf('target: {sensor: vibration}').measuresTolerance).toBe(true);
    expect(planOf('target: {sensor: vibration, tolerance: auto}').measuresTolerance).toBe(true);
  });

  it.each([
    ['an unknown key', 'windw: 1m', 'unknown field "windw" (did you mean "window"?)'],
    ['an unknown key inside', 'source: {topik: a}', 'unknown field "source.topik" (did you mean "topic"?)'],
    [
      'an unknown key of the target',
      'target: {sensor: a, units: b}',
      'unknown field "target.units" (did you mean "unit"?)',
    ],
    ['a fleet that cannot be a prefix', 'fleet: My Pumps', 'fleet: a fleet is named with 1 to 31 of a-z'],
    ['a window that is no duration', 'window: soon', 'window: a duration is a number with ms, s, m, h or d'],
    ['a window of no length', 'window: 0s', 'window: it must be longer than 0'],
    [
      'a path for a sensor that it does not name',
      'target: {sensor: vibration}\nsource: {fields: {vibraton: /v}}',
      '"vibraton" is neither the target nor one of the covariates (vibration)',
    ],
    ['a path that is none', 'source: {fields: {temperature: v.rms}}', 'a path begins with /'],
    [
      'a topic and MQTT at once',
      'source: {topic: a, mqtt: {url: "mqtt://h", topic: b}}',
      'a topic or MQTT, not both',
    ],
    [
      'a covariate that is the target',
      'target: {sensor: a}\ncovariates: [a]',
      'a sensor is named twice: a is the target already',
    ],
    ['a sensor named twice', 'target: {sensor: a}\ncovariates: [b, b]', 'a sensor is named twice: b'],
    ['a sensor whose events are put aside', 'target: {sensor: constructor}', 'give the sensor another name'],
    [
      'a number as text',
      'target: {sensor: a, tolerance: "0.5"}',
      'target.tolerance: must be "auto" or a number',
    ],
    ['a target that is a text', 'target: vibration', 'target: must be an object with fields, and not a text'],
    ['a window without a unit', 'window: 60', 'window: a duration is a number with ms, s, m, h or d'],
    [
      'a unit that there is not',
      'source: {fields: {timestamp: {path: /t, unit: sec}}}',
      'source.fields.timestamp.unit: Invalid option: expected one of "s"|"ms"|"us"|"ns"|"iso"',
    ],
    [
      'a beginning that is no time',
      'source: {from: yesterday}',
      /is not valid: source.from: a timestamp is ISO 8601, such as 2026-01-31T12:00:00Z$/,
    ],
    ['half a span', 'plausible: {from: 2020-01-01}', 'plausible.until: is missing: it must be a text'],
    ['a span upside down', 'plausible: {from: 2030-01-01, until: 2020-01-01}', 'from must lie before until'],
    [
      'a filter of MQTT with # inside',
      'source: {mqtt: {url: "mqtt://h", topic: "a/#/b"}}',
      '# for all that follow',
    ],
    [
      'a filter of MQTT with half a part',
      'source: {mqtt: {url: "mqtt://h", topic: "a/b+"}}',
      '+ stands for one part',
    ],
    ['several documents', 'fleet: a\n---\nfleet: b', 'fedloop.yaml has several documents'],
    ['aliases without end', BOMB, 'fedloop.yaml has aliases that cannot be followed'],
    [
      'a range upside down',
      'target: {sensor: a, min: 2, max: 1}',
      'the largest reading is below the smallest',
    ],
    ['text that is no YAML', 'fleet: [', 'fedloop.yaml is no YAML'],
    ['a list', '- 1', 'fedloop.yaml is not valid'],
  ])('refuses %s', (_, text: string, message: string | RegExp) => {
    expect(failureOf(text)).toMatchObject({
      code: 'InvalidConfig',
      message: (typeof message === 'string'
        ? expect.stringContaining(message)
        : expect.stringMatching(message)) as string,
    });
  });
});

describe('a plan beside what its fleet has logged', () => {
  const plan = planOf(PUMPS);
  /** As it comes back from the log. */
  const logged = structuredClone(plan.settings);

  it('agrees with itself', () => {
    expect(() => {
      assertSameFleet(plan, JSON.parse(JSON.stringify(logged)) as typeof logged);
    }).not.toThrow();
  });

  it.each([
    ['window: 1m', 'window: 30s', 'with window 1m and not 30s'],
    ['watermark: 2m', 'watermark: 90s', 'with watermark 2m and not 90s'],
    ['sensor: vibration', 'sensor: noise', 'with target.sensor "vibration" and not "noise"'],
    ['tolerance: 0.5', 'tolerance: 1', 'with target.tolerance 0.5 and not 1'],
    ['hold: 5m', 'hold: 1h', 'with target.hold 5m and not 1h'],
    [', hold: 5m', '', 'with target.hold 5m and not left out'],
    ['covariates: [current]', 'covariates: [current, load]', 'with covariates '],
    [
      'topic: plant.telemetry',
      'topic: plant.other',
      'with source.topic "plant.telemetry" and not "plant.other"',
    ],
  ])('differs by %s → %s, and says so with both values', (from, to, message) => {
    const changed = planOf(
      PUMPS.replace(from, to)
        .replaceAll('vibration: /v', 'VIBRATION: /v')
        .replaceAll('VIBRATION', to.includes('noise') ? 'noise' : 'vibration'),
    );
    expect(() => {
      assertSameFleet(changed, logged);
    }).toThrow(`the fleet pumps runs already, ${message}`);
  });

  it('agrees with whatever tolerance was measured', () => {
    const measuring = planOf(PUMPS.replace('tolerance: 0.5', 'tolerance: auto'));
    expect(() => {
      assertSameFleet(measuring, logged);
    }).not.toThrow();
  });
});

describe('a duration as text', () => {
  it('means what it was made of', () => {
    fc.assert(
      fc.property(fc.nat(), (millis) => {
        expect(durationMillis(durationText(millis))).toBe(millis);
      }),
    );
    expect([90_000, 120_000, 86_400_000, 1_500].map(durationText)).toEqual(['90s', '2m', '1d', '1500ms']);
  });
});
