import { FedloopError } from '../../core/contracts/errors';
import { type Source, sourceSchema } from '../../core/contracts/source';
import { EVENT_FIELDS, sensorsOf, type Task } from '../../core/contracts/task';
import { parseOrThrow } from '../../core/contracts/validation';
import { compileMapping, type Mapping } from '../../core/ingest/mapping';
import { planMapping } from '../../core/ingest/plan';
import { type Pointer } from '../../core/ingest/pointer';
import { type HistoryFile } from './rows';

/** How the rows of one file become readings. */
export interface FileMapping {
  readonly mapping: Mapping;
  /** Name that a table's column has for the mapping; undefined where it is left out. */
  readonly nameOf: (column: string) => string | undefined;
  /** Field whose numbers are milliseconds, as those of events are, though a table's cells are texts; undefined where the unit is given. */
  readonly millisField: string | undefined;
}

/** A history says nothing of anomalies, or of when Kafka got a reading. */
const LEFT_OUT: ReadonlySet<string> = new Set(['label', 'record_timestamp']);

/**
 * Files of messages are mapped as the fleet's source is. So are tables whose columns the source's paths name; others need `device_id`,
 * `timestamp` and the sensors' names as columns, in any case. With `wide` each column that fits the pattern is a device's target.
 * @throws FedloopError `InvalidData` for a table without the columns that a reading needs.
 */
export function mappingOf(
  file: HistoryFile,
  source: Source,
  task: Task,
  wide: string | undefined,
): FileMapping {
  const { columns } = file;
  if (columns === undefined) {
    const mapping = compileMapping(wide === undefined ? source : wideSource(source, wide, false), task);
    return { mapping, nameOf: (column) => column, millisField: undefined };
  }
  const twice = columns.find((column, at) => columns.indexOf(column) < at);
  if (twice !== undefined)
    throw new FedloopError('InvalidData', `the header of ${file.name} names ${twice} twice`);
  const canonical = canonicalName(task);
  const names = new Set(columns.map(canonical));
  if (wide !== undefined) {
    const mapping = compileMapping(wideSource(source, wide, names.has('timestamp')), task);
    const millisField = names.has('timestamp') ? 'timestamp' : undefined;
    return { mapping, nameOf: canonical, millisField };
  }
  if (namesColumns(source, task, columns)) {
    const { pointer, unit } = planMapping(source, task).timestamp;
    const millisField = unit === 'iso' ? pointer.tokens[0] : undefined;
    return { mapping: compileMapping(source, task), nameOf: (column) => column, millisField };
  }
  const missing = ['device_id', 'timestamp', task.target.sensor].filter((name) => !names.has(name));
  if (missing.length === 0) {
    const mapping = compileMapping({ from: source.from }, task);
    return { mapping, nameOf: canonical, millisField: 'timestamp' };
  }
  throw new FedloopError(
    'InvalidData',
    `${file.name} has no column ${missing.join(', no ')}; its columns are ${columns.slice(0, 20).join(', ')}`,
    {
      hint: 'Name the columns in source.fields of a deployment file (--config), or give --wide for one column a device.',
    },
  );
}

function canonicalName(task: Task): (column: string) => string | undefined {
  const known = new Set<string>([...EVENT_FIELDS, ...sensorsOf(task)]);
  return (column) => {
    const lower = column.toLowerCase();
    if (LEFT_OUT.has(lower)) return undefined;
    return known.has(lower) ? lower : column;
  };
}

function wideSource({ from, fields }: Source, wide: string, hasTimestamp: boolean): Source {
  const timestamp = hasTimestamp ? undefined : fields?.timestamp;
  return parseOrThrow(sourceSchema, { from, wide, fields: { timestamp } }, '--wide', 'InvalidInput');
}

/** Whether the source's paths of id, time and target are columns, and the table's rows are its messages. */
function namesColumns(source: Source, task: Task, columns: readonly string[]): boolean {
  if (source.each !== undefined || source.wide !== undefined || source.fields === undefined) return false;
  if (typeof source.fields.device_id === 'object' && 'topicPart' in source.fields.device_id) return false;
  const { deviceId, timestamp, target } = planMapping(source, task);
  if (!('tokens' in deviceId)) return false;
  const isColumn = ({ tokens }: Pointer): boolean => tokens.length === 1 && columns.includes(tokens[0] ?? '');
  return [deviceId, timestamp.pointer, target.pointer].every(isColumn);
}
