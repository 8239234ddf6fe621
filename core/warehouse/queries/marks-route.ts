import { z } from 'zod';
import { TOPICS } from '../../contracts/topics';
import { jsonRoute, type RouteHandler } from '../../platform/http';
import { type SerialConnection } from '../database/connection';

/** Up to which block a partition's rows can be read: `window_start` in microseconds since 1970. */
export const markRow = z.object({
  topic: z.enum([TOPICS.analysis.name, TOPICS.evaluations.name]),
  source_partition: z.int(),
  window_start: z.number(),
  ordinal: z.int(),
  last: z.boolean(),
});

/**
 * `GET /marks` → `{rows}`: how far results are stored, by topic and partition. The marks change in the transaction that stores the rows, and
 * the owner of the file has them at hand: a look costs nothing, where a query at full load waits for a snapshot.
 */
export function marksRoute(connection: SerialConnection): RouteHandler {
  return jsonRoute(async () => ({
    rows: await connection.rows(
      markRow,
      `SELECT topic, source_partition, epoch_us(window_start)::DOUBLE AS window_start, ordinal, last FROM sink_marks
       WHERE topic IN ('${markRow.shape.topic.options.join("', '")}') AND window_start IS NOT NULL`,
    ),
  }));
}
