import { z } from 'zod';

/** The part of Grafana's JSON that the preview reads: enough for the panels in `dashboards/`. */
const targetSchema = z.object({
  refId: z.string(),
  expr: z.string(),
  legendFormat: z.string().default(''),
  /** Values at one timestamp instead of the time range. */
  instant: z.boolean().default(false),
});

const thresholdSchema = z.object({ value: z.number().nullable(), color: z.string() });

const panelSchema = z.object({
  id: z.int(),
  type: z.string(),
  title: z.string(),
  description: z.string().default(''),
  gridPos: z.object({ x: z.int(), y: z.int(), w: z.int().min(1), h: z.int().min(1) }),
  targets: z.array(targetSchema).default([]),
  fieldConfig: z
    .object({
      defaults: z
        .object({
          unit: z.string().default('none'),
          decimals: z.number().optional(),
          min: z.number().optional(),
          max: z.number().optional(),
          noValue: z.string().default('No data'),
          thresholds: z.object({ steps: z.array(thresholdSchema) }).optional(),
          mappings: z
            .array(
              z.object({
                type: z.string(),
                options: z.record(z.string(), z.object({ text: z.string(), color: z.string() })),
              }),
            )
            .default([]),
          custom: z.object({ stacking: z.object({ mode: z.string() }).optional() }).optional(),
        })
        .prefault({}),
      overrides: z
        .array(
          z.object({
            matcher: z.object({ id: z.string(), options: z.unknown() }),
            properties: z.array(z.object({ id: z.string(), value: z.unknown() })),
          }),
        )
        .default([]),
    })
    .prefault({}),
  options: z
    .object({
      textMode: z.string().optional(),
      colorMode: z.string().optional(),
      xField: z.string().optional(),
      stacking: z.string().optional(),
      content: z.string().optional(),
    })
    .prefault({}),
  transformations: z
    .array(z.object({ id: z.string(), options: z.record(z.string(), z.unknown()) }))
    .default([]),
});
export type DashboardPanel = z.infer<typeof panelSchema>;

export const dashboardFileSchema = z.object({
  uid: z.string(),
  title: z.string(),
  description: z.string().default(''),
  panels: z.array(panelSchema),
  annotations: z
    .object({
      list: z.array(
        z.object({ name: z.string(), expr: z.string(), iconColor: z.string(), titleFormat: z.string() }),
      ),
    })
    .prefault({ list: [] }),
});
export type DashboardFile = z.infer<typeof dashboardFileSchema>;
