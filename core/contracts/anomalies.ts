import { z } from 'zod';

/**
 * What a predicted anomaly looks like, as far as one window and the device's own past show it.
 * - `spike`: a few readings lie far from the others; `noise`: the readings scatter far more than usual;
 * - `stuck`: window after window without any change; `shift`: the mean left the forecast's band.
 */
export const ANOMALY_KINDS = ['spike', 'noise', 'stuck', 'shift'] as const;
export type AnomalyKind = (typeof ANOMALY_KINDS)[number];

export function isAnomalyKind(value: unknown): value is AnomalyKind {
  return ANOMALY_KINDS.some((kind) => kind === value);
}

/** More than one device-window in ten is no alarm any more; less than one in a billion is none that anybody could measure. */
const MOST_FALSE_ALARMS = 0.1;
const LEAST_FALSE_ALARMS = 1e-9;

/** Part of the device-windows without an anomaly that may be predicted to have one. */
export const falseAlarmsSchema = z.number().min(LEAST_FALSE_ALARMS).max(MOST_FALSE_ALARMS);

/** Of 2,407 devices with hourly windows: about one false alarm a day. */
export const DEFAULT_FALSE_ALARMS = 1 / 50_000;

const RATE = /^(\d{1,9}(?:\.\d{1,9})?) (?:per|in) (\d{1,12})(?: device-windows)?$/;
const NO_RATE =
  'a rate of false alarms is written as "1 per 1000 device-windows", and lies between 1 per 10 and 1 per 1000000000';

/** `1 per 1000 device-windows`, as a person writes it. */
export const falseAlarmsTextSchema = z
  .string({ error: NO_RATE })
  .refine((text) => falseAlarmsSchema.safeParse(falseAlarmsOf(text)).success, NO_RATE);

/** The rate that a text means; NaN where it means none. */
export function falseAlarmsOf(text: string): number {
  const [, alarms, windows] = RATE.exec(text) ?? [];
  return Number(alarms) / Number(windows);
}

/** How a version predicts anomalies, and how many false ones it may. Another rule gets another name, so that rows are replayed by the rule that made them. */
export const anomalyRuleSchema = z.object({ rule: z.literal('tails'), false_alarms: falseAlarmsSchema });

/** The rule of today. */
export function anomalyRule(falseAlarms: number): z.infer<typeof anomalyRuleSchema> {
  return { rule: 'tails', false_alarms: falseAlarms };
}
