import { type z } from 'zod';
import { deploymentFileSchema, planDeployment } from '../../contracts/deployment-file';
import { FedloopError } from '../../contracts/errors';
import { MIN_PANEL_DEVICES } from '../../contracts/readiness';
import { DEFAULT_STREAM_SETTINGS } from '../../contracts/settings';
import { type Source } from '../../contracts/source';
import { durationMillis } from '../../contracts/settings';
import { MICROS_PER_MILLI } from '../../contracts/time';
import { compileMapping } from '../mapping';
import { type MappedReading } from '../readings';
import { inWords } from './durations';
import { type Finding, type Hints } from './hints';
import { type Rhythm, rhythmOf } from './rhythm';
import { type SampleMessage } from './sample';
import { findSentinels, type Sentinel } from './sentinels';
import { chooseDuplicates, chooseWatermark, chooseWindow } from './settle';
import { findStructure, type Structure } from './structure';
import { sourceOf } from './source';

export type DeploymentFileInput = z.input<typeof deploymentFileSchema>;

export interface InspectOptions {
  /** Topic that the messages come by, where it is known. */
  readonly topic: string | undefined;
  /** The messages come from one place, in the order in which they lie there. */
  readonly keepsOrder: boolean;
  readonly fleet: string | undefined;
  readonly tolerance: number | 'auto' | undefined;
}

/** What a sample says of a fleet. */
export interface Understanding {
  readonly file: DeploymentFileInput;
  /** Why a setting is as it is, by its path in the file, such as `source.fields.device_id`. */
  readonly reasons: ReadonlyMap<string, string>;
  /** What a person should know besides, each one sentence. */
  readonly notes: readonly string[];
  readonly structure: Structure;
  readonly rhythm: Rhythm;
  /** The topic needs no ingest worker. */
  readonly isCanonical: boolean;
}

/**
 * Describe a fleet by a sample of its messages. Nothing is guessed: what the sample leaves open comes back as a question, and is a hint
 * of the next call.
 * @throws FedloopError for a hint that the sample contradicts (a path that no message has, a target of words, a window that is too short), and
 * for a sample with one device whose field no hint names.
 */
export function understand(
  messages: readonly SampleMessage[],
  hints: Hints,
  options: InspectOptions,
): Finding<Understanding> {
  const values = messages.map(({ value }) => value);
  const structure = findStructure(values, hints);
  if ('question' in structure) return structure;
  const source = sourceOf(structure.found, messages, options.topic);
  const readings = readingsOf(values, source.source, structure.found);
  const rhythm = rhythmOf(readings, options.keepsOrder);
  if (rhythm.devices === 1 && hints.deviceId === undefined && hints.wide === undefined) throw oneDevice();
  const window = chooseWindow(rhythm, hints);
  if ('question' in window) return window;
  const duplicates = chooseDuplicates(rhythm, hints);
  if ('question' in duplicates) return duplicates;
  const watermark = chooseWatermark(rhythm);
  const sentinels = findSentinels(readings.map(({ values: [target = NaN] }) => target));
  const { target, covariates } = structure.found;
  const missing = sentinels.filter(({ isUsual }) => isUsual).map(({ value }) => value);
  const idle = idleFor(watermark.value);
  const file: DeploymentFileInput = {
    ...(options.fleet === undefined ? {} : { fleet: options.fleet }),
    source: source.source,
    target: {
      sensor: target.sensor,
      unit: target.unit,
      tolerance: options.tolerance ?? 'auto',
      ...(missing.length === 0 ? {} : { missing }),
      ...(hints.hold === undefined ? {} : { hold: hints.hold }),
    },
    covariates: covariates.map(({ sensor, unit, path }) => {
      const gaps = findSentinels(numbersAt(readings, structure.found, path)).filter(({ isUsual }) => isUsual);
      if (unit === '' && gaps.length === 0) return sensor;
      return { sensor, unit, ...(gaps.length === 0 ? {} : { missing: gaps.map(({ value }) => value) }) };
    }),
    window: window.found.value,
    watermark: watermark.value,
    ...(idle === undefined ? {} : { idle }),
    ...(duplicates.found === undefined ? {} : { duplicates: duplicates.found.value }),
  };
  const reasons = new Map([
    ...source.reasons,
    ...reasonsOfTarget(structure.found, sentinels, options.tolerance),
    ['window', window.found.why],
    ['watermark', `How long a window waits for late events. ${watermark.why}`],
    [
      'idle',
      'A quiet partition closes its windows after so long: late events may still be under way before.',
    ],
    ['duplicates', duplicates.found?.why ?? ''],
  ]);
  const notes = notesOf(structure.found, rhythm, sentinels);
  return {
    found: { file, reasons, notes, structure: structure.found, rhythm, isCanonical: source.isCanonical },
  };
}

/** What is said of a sample with one device. */
export const ONE_DEVICE = `The sample has one device: a round needs at least ${MIN_PANEL_DEVICES + 1}.`;

/** Which field names the device cannot be seen in one device, nor whether it is one device at all. */
function oneDevice(): FedloopError {
  return new FedloopError(
    'InvalidInput',
    `the sample has one device, and a round needs ${MIN_PANEL_DEVICES + 1}`,
    {
      hint: 'Give a sample of more devices, or name the field of the device with --device-id.',
    },
  );
}

/** What the mapping makes of the sample; what it rejects is for `check`. */
function readingsOf(
  messages: readonly unknown[],
  source: Source,
  { target, covariates }: Structure,
): readonly MappedReading[] {
  const sensors = { target: { sensor: target.sensor }, covariates: covariates.map(({ sensor }) => sensor) };
  const { settings } = planDeployment(deploymentFileSchema.parse({ source, ...sensors }));
  const mapping = compileMapping(settings.source, settings.task);
  return messages.flatMap((message) => mapping.ofJson(message).readings);
}

function numbersAt(
  readings: readonly MappedReading[],
  { covariates }: Structure,
  path: string,
): readonly number[] {
  const index = 1 + covariates.findIndex((covariate) => covariate.path === path);
  return readings.map(({ values }) => values[index] ?? NaN);
}

/** Long enough that a partition is not closed while events that the watermark waits for are under way. */
function idleFor(watermark: string): string | undefined {
  const isDefault = durationMillis(watermark) * MICROS_PER_MILLI <= DEFAULT_STREAM_SETTINGS.watermarkMicros;
  return isDefault ? undefined : watermark;
}

function reasonsOfTarget(
  { target, covariates }: Structure,
  sentinels: readonly Sentinel[],
  tolerance: number | 'auto' | undefined,
): readonly (readonly [string, string])[] {
  const usual = sentinels.filter(({ isUsual }) => isUsual);
  return [
    ['target.sensor', `${target.path}: ${target.why}`],
    [
      'target.unit',
      target.unit === '' ? 'Shown in tables and charts; messages do not say it.' : 'As messages say it.',
    ],
    [
      'target.tolerance',
      tolerance === undefined || tolerance === 'auto'
        ? 'A forecast this close is correct; auto: the median change from window to window.'
        : 'As it was given: a forecast this close is correct.',
    ],
    [
      'target.missing',
      `No readings: ${usual.map(({ value, count }) => `${value} comes ${count} times`).join(', ')}, far outside of the rest.`,
    ],
    ['target.hold', 'As it was given: so long a reading stays true.'],
    [
      'covariates',
      covariates.length === 0
        ? 'Sensors that help to forecast the target: none.'
        : `Sensors that may help to forecast the target: ${covariates.map(({ path, why }) => `${path} (${why.replace(/\.$/, '')})`).join(', ')}. Remove those that do not.`,
    ],
  ];
}

function notesOf({ target }: Structure, rhythm: Rhythm, sentinels: readonly Sentinel[]): readonly string[] {
  const { devices, hasOrder, lateness } = rhythm;
  const unusual = sentinels.filter(({ isUsual }) => !isUsual);
  return [
    ...(devices === 1 ? [ONE_DEVICE] : []),
    ...(hasOrder
      ? []
      : ['The sample does not show in which order readings arrive, and so not how late they come.']),
    ...(lateness > LATE
      ? [`Readings come up to ${inWords(lateness)} late, so that windows close late as well.`]
      : []),
    ...unusual.map(
      ({ value, count }) =>
        `${target.sensor} is ${value} ${count} times, far outside of the rest: add it to target.missing if it means that there is no reading.`,
    ),
  ];
}

const LATE = 3_600_000_000;
