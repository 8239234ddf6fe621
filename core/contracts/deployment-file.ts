import { z } from 'zod';
import { falseAlarmsOf, falseAlarmsTextSchema } from './anomalies';
import { FedloopError } from './errors';
import { DEFAULT_FLEET, type FleetName, fleetNameSchema } from './ids';
import { ROW_LIMITS } from './limits';
import {
  DEFAULT_STREAM_SETTINGS,
  durationMillis,
  durationText,
  durationTextSchema,
  positiveDurationTextSchema,
  firstDifference,
  microsText,
  type SettingsDifference,
  type StreamSettings,
  streamSettingsSchema,
} from './settings';
import { federatedRoundInputSchema } from './rounds';
import { sourceSchema } from './source';
import { DEFAULT_TASK, MAX_COVARIATES, MAX_LAGS, sensorNameSchema, type taskSchema } from './task';
import { isoOfMicros, MICROS_PER_MILLI } from './time';
import { microsOfText, timestampTextSchema } from './timestamps';
import { parseOrThrow } from './validation';

/** `fedloop.yaml`: a fleet described in one file. What it leaves out has the value of `DEFAULT_STREAM_SETTINGS`. */

const readings = {
  min: z.number().optional().describe('Smallest plausible reading; a smaller one is left out and counted.'),
  max: z.number().optional().describe('Largest plausible reading; a larger one is left out and counted.'),
  missing: z
    .array(z.number())
    .max(20)
    .readonly()
    .optional()
    .describe('Numbers that mean "no reading", such as -999.'),
  hold: durationTextSchema
    .optional()
    .describe('For a sensor that sends on change: how long its last reading stays true.'),
};

const targetFileSchema = z.strictObject({
  sensor: sensorNameSchema.describe('What is forecast: the mean of this sensor in the next window.'),
  unit: z.string().max(20).default('').describe('Unit of its readings; shown, never converted.'),
  tolerance: z
    .union([z.literal('auto'), z.number().positive()])
    .default('auto')
    .describe(
      'A forecast this close to the actual mean is correct. auto = the median absolute change from window to window in the history.',
    ),
  ...readings,
});

const covariateFileSchema = z.union([
  sensorNameSchema,
  z.strictObject({ sensor: sensorNameSchema, unit: z.string().max(20).default(''), ...readings }),
]);

/** Input of a round, as it was written: what it leaves out keeps the value that the round has without it. */
const presetSchema = z.record(z.string(), z.unknown()).superRefine((given, context) => {
  const { error } = federatedRoundInputSchema.safeParse(given);
  for (const { message, path } of error?.issues ?? []) context.addIssue({ code: 'custom', message, path });
});

export const deploymentFileSchema = z.strictObject({
  fleet: fleetNameSchema
    .default(DEFAULT_FLEET)
    .describe(
      'Prefixes topics, groups, task queues and workflow ids: fleets share a broker and a namespace.',
    ),
  source: sourceSchema.prefault({}).describe('Where the messages come from.'),
  target: targetFileSchema.optional().describe('Left out: the temperature of the simulated fleet.'),
  covariates: z
    .array(covariateFileSchema)
    .max(MAX_COVARIATES)
    .optional()
    .describe('Sensors that help to forecast the target.'),
  window: positiveDurationTextSchema
    .optional()
    .describe('Length of a tumbling window: at least four readings of a device fit in.'),
  watermark: durationTextSchema.optional().describe('How late an event may come.'),
  idle: positiveDurationTextSchema.optional().describe('A quiet partition closes its windows after so long.'),
  future: durationTextSchema.optional().describe('How far an event may be ahead of its Kafka record.'),
  lags: z.int().min(2).max(MAX_LAGS).optional().describe('Windows that a forecast looks back on.'),
  outlierZ: z
    .number()
    .positive()
    .optional()
    .describe('|Z| above which a reading is an outlier of its window.'),
  anomaly: z
    .strictObject({ falseAlarms: falseAlarmsTextSchema })
    .optional()
    .describe(
      'How many device-windows without an anomaly may be predicted to have one: "1 per 50000 device-windows".',
    ),
  duplicates: z
    .enum(['time', 'reading'])
    .optional()
    .describe('Events of a device are duplicates when they agree in time, or in time and readings.'),
  plausible: z
    .strictObject({ from: timestampTextSchema, until: timestampTextSchema })
    .refine(({ from, until }) => microsOfText(from) < microsOfText(until), 'from must lie before until')
    .optional()
    .describe('Event times outside it are rejected.'),
  presets: z
    .record(
      z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'a name has small letters, digits and dashes'),
      presetSchema,
    )
    .optional()
    .describe(
      'Inputs of rounds by name, for `--preset`: {"nightly": {"windows": 12, "approval": "manual"}}.',
    ),
});
export type DeploymentFile = z.infer<typeof deploymentFileSchema>;
export type Presets = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What a deployment file means. */
export interface DeploymentPlan {
  readonly fleet: FleetName;
  readonly settings: StreamSettings;
  /** The tolerance is still to be measured: the one in `settings` is a place holder. */
  readonly measuresTolerance: boolean;
  /** Inputs of rounds by name. They may change while the fleet lives. */
  readonly presets?: Presets;
}

/**
 * Turn a deployment file into the settings that all processes share.
 * @throws FedloopError `InvalidConfig` where its parts don't fit together, such as a path for a sensor that the task does not have.
 */
export function planDeployment(file: DeploymentFile): DeploymentPlan {
  const defaults = DEFAULT_STREAM_SETTINGS;
  const target = file.target ?? DEFAULT_TASK.target;
  const covariates: readonly SensorInFile[] =
    file.covariates ?? (file.target === undefined ? DEFAULT_TASK.covariates : []);
  const settings = {
    task: {
      target: { ...sensorOf(target), tolerance: target.tolerance === 'auto' ? 1 : target.tolerance },
      covariates: covariates.map(sensorOf),
      lags: file.lags ?? defaults.task.lags,
      windowMicros: microsOf(file.window) ?? defaults.task.windowMicros,
    },
    watermarkMicros: microsOf(file.watermark) ?? defaults.watermarkMicros,
    futureMicros: microsOf(file.future) ?? defaults.futureMicros,
    idleMillis: file.idle === undefined ? defaults.idleMillis : durationMillis(file.idle),
    outlierZ: file.outlierZ ?? defaults.outlierZ,
    anomaly:
      file.anomaly === undefined
        ? defaults.anomaly
        : { falseAlarms: falseAlarmsOf(file.anomaly.falseAlarms) },
    duplicates: file.duplicates ?? defaults.duplicates,
    clockQuorum: defaults.clockQuorum,
    plausible:
      file.plausible === undefined
        ? defaults.plausible
        : { fromMicros: microsOfText(file.plausible.from), untilMicros: microsOfText(file.plausible.until) },
    source: file.source,
    limits: ROW_LIMITS,
  };
  return {
    fleet: file.fleet,
    settings: parseOrThrow(streamSettingsSchema, settings, 'the deployment file', 'InvalidConfig'),
    measuresTolerance: target.tolerance === 'auto',
    ...(file.presets === undefined ? {} : { presets: file.presets }),
  };
}

/**
 * Compare a plan with what its fleet has logged. A tolerance that the plan leaves to measurement was measured when the fleet began.
 * @throws FedloopError `InvalidConfig` with both values of the first difference: a fleet keeps its task, window and limits while it lives.
 */
export function assertSameFleet(
  { fleet, settings, measuresTolerance }: DeploymentPlan,
  logged: StreamSettings,
): void {
  const { task } = settings;
  const tolerance = measuresTolerance ? logged.task.target.tolerance : task.target.tolerance;
  const own = { ...settings, task: { ...task, target: { ...task.target, tolerance } } };
  const difference = firstDifference(logged, own);
  if (difference === undefined) return;
  const { name, was, is } = inWordsOfTheFile(difference);
  throw new FedloopError(
    'InvalidConfig',
    `the fleet ${fleet} runs already, with ${name} ${was} and not ${is}: take the change back, or give what you describe another \`fleet\` name`,
  );
}

/** Names of the file for settings that are called otherwise, and how the file writes their values. */
const FILE_WORDS: Readonly<
  Record<string, { readonly name: string; readonly write: (value: number) => string }>
> = {
  'task.windowMicros': { name: 'window', write: microsText },
  'task.lags': { name: 'lags', write: String },
  watermarkMicros: { name: 'watermark', write: microsText },
  futureMicros: { name: 'future', write: microsText },
  idleMillis: { name: 'idle', write: durationText },
  'plausible.fromMicros': { name: 'plausible.from', write: isoOfMicros },
  'plausible.untilMicros': { name: 'plausible.until', write: isoOfMicros },
};

function inWordsOfTheFile({ path, logged, own }: SettingsDifference): {
  readonly name: string;
  readonly was: string;
  readonly is: string;
} {
  const known = FILE_WORDS[path.join('.')];
  const hold = path.at(-1) === 'holdMicros' ? { name: 'hold', write: microsText } : undefined;
  const text = (value: unknown): string => {
    const write = (known ?? hold)?.write;
    if (typeof value === 'number' && write !== undefined) return write(value);
    return value === undefined ? 'left out' : JSON.stringify(value);
  };
  const inside = (path[0] === 'task' ? path.slice(1) : path).slice(0, hold === undefined ? undefined : -1);
  const name = known?.name ?? [...inside, ...(hold === undefined ? [] : [hold.name])].join('.');
  return { name, was: text(logged), is: text(own) };
}

type SensorInFile = z.infer<typeof covariateFileSchema>;
type SensorInput = z.input<typeof taskSchema>['covariates'][number];

/** A sensor as the task has it. */
function sensorOf(sensor: SensorInFile): SensorInput {
  if (typeof sensor === 'string') return { sensor, unit: '' };
  const { sensor: name, unit, min, max, missing, hold } = sensor;
  return { sensor: name, unit, min, max, missing, holdMicros: microsOf(hold) };
}

function microsOf(duration: string | undefined): number | undefined {
  return duration === undefined ? undefined : durationMillis(duration) * MICROS_PER_MILLI;
}
