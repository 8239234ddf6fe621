import { z } from 'zod';
import {
  analysisBlockSchema,
  evaluationBlockSchema,
  fenceBlockSchema,
  historyChunkSchema,
} from '../../core/contracts/blocks';
import { checkpointMessageSchema } from '../../core/contracts/checkpoints';
import { deploymentFileSchema } from '../../core/contracts/deployment-file';
import { deploymentMessageSchema } from '../../core/contracts/deployments';
import { eventSchema } from '../../core/contracts/events';
import { feedbackMessageSchema } from '../../core/contracts/feedback';
import { DEFAULT_TASK, type Sensors } from '../../core/contracts/task';
import { TOPICS } from '../../core/contracts/topics';
import { windowRequestSchema } from '../../core/contracts/updates';
import { summarySchema } from '../results/summary-schema';

/** What a program of somebody else's may read or write, by the name of its schema in `docs/schemas/`. */
interface Published {
  readonly title: string;
  readonly description: string;
  readonly schema: z.ZodType;
}

/** Where columns depend on the fleet's sensors, the schema is that of the default task: temperature, humidity, pressure. */
function published(sensors: Sensors): Readonly<Record<string, Published>> {
  return {
    event: {
      title: `An event in ${TOPICS.stream.name}`,
      description:
        'Keyed by device_id. The target stands under its own name or under data; one of them must be there. A timestamp without a zone is UTC; a number is milliseconds since 1970. Other fields are ignored.',
      schema: eventSchema(sensors),
    },
    'analysis-block': {
      title: `Rows of one closed window in ${TOPICS.analysis.name}`,
      description:
        'Column by column, all equally long, at most 256 rows; or a fence, which voids blocks of older epochs behind it.',
      schema: z.union([analysisBlockSchema(sensors), fenceBlockSchema]),
    },
    'evaluation-block': {
      title: `Forecasts of one closed window beside what came, in ${TOPICS.evaluations.name}`,
      description:
        'Column by column, all equally long, at most 256 rows; or a fence, which voids blocks of older epochs behind it.',
      schema: z.union([evaluationBlockSchema, fenceBlockSchema]),
    },
    feedback: {
      title: `A message in ${TOPICS.feedback.name}`,
      description:
        'Real accuracy and error patterns of a version, per-device accuracy in chunks, and rollbacks.',
      schema: feedbackMessageSchema,
    },
    deployment: {
      title: `A message in ${TOPICS.deployments.name}`,
      description:
        'Keys: model/<version>, stage/<version>, settings, server-state/<kind>. The topic is compacted: the latest of each key holds.',
      schema: deploymentMessageSchema,
    },
    'deployment-file': {
      title: 'A deployment file, fedloop.yaml',
      description: 'A fleet described in one file. What it leaves out has its default.',
      schema: deploymentFileSchema,
    },
    checkpoint: {
      title: `A claim or decision in ${TOPICS.checkpoints.name}`,
      description: 'Pieces of state (keys checkpoint/…) are binary and not described here.',
      schema: checkpointMessageSchema,
    },
    'device-history': {
      title: `A chunk of devices’ past in ${TOPICS.history.name}`,
      description:
        'The last windows of devices from before their first live one: the lags of the first forecasts.',
      schema: historyChunkSchema(sensors),
    },
    'window-request': {
      title: `A request in ${TOPICS.windowRequests.name}`,
      description:
        'A round asks for live windows. A simulated fleet is paced by it; a real one need not listen.',
      schema: windowRequestSchema,
    },
    summary: {
      title: 'summary.json of a run',
      description:
        'What `fedloop demo` measured, all of it counted from rows. Shares go from 0 to 1, errors are in the unit of the target.',
      schema: summarySchema,
    },
  };
}

/** JSON Schemas (2020-12) of everything that is published, by file name. */
export function renderSchemas(): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(published(DEFAULT_TASK)).map(([name, { title, description, schema }]) => {
      const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
      return [`${name}.schema.json`, `${JSON.stringify({ ...json, title, description }, null, 2)}\n`];
    }),
  );
}
