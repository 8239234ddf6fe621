import { z } from 'zod';
import { FedloopError, messageOf } from '../../contracts/errors';
import { parseJson, parseOrThrow } from '../../contracts/validation';
import { type Statements } from '../database/connection';
import { ALLOWED_CATALOG_VIEWS, isAllowedInExpressions, isAllowedInFrom } from './allowed-functions';

/** What a query may be: which statements, tables and functions. All of it is a list of what is allowed. */

const treeRow = z.object({ tree: z.string() });
const nameRow = z.object({ name: z.string() });
const treeSchema = z.object({
  error: z.boolean(),
  error_message: z.string().optional(),
  statements: z.array(z.unknown()).default([]),
});

/** How a text of SQL becomes an answer: one SELECT, its plan, or the statements that DuckDB makes of a PIVOT without IN. */
export type QueryKind = 'select' | 'explain' | 'pivot';

/**
 * Refuse what is no query, and names that are not on the lists.
 * @throws FedloopError `InvalidInput`
 */
export async function assertAllowed(inside: Statements, sql: string): Promise<QueryKind> {
  const { statements, error_message: problem } = await parse(inside, sql);
  const [statement, ...others] = statements;
  if (others.length > 0) throw refused(`one statement at a time; these are ${statements.length}`);
  if (statement !== undefined) {
    await assertNames(inside, statement);
    return 'select';
  }
  const explained = explainedBy(sql);
  if (explained !== undefined) {
    await assertAllowed(inside, explained);
    return 'explain';
  }
  if (/\bpivot\b/i.test(sql)) {
    await assertPivot(inside, sql);
    return 'pivot';
  }
  throw refused(
    problem?.startsWith('Only SELECT') === true
      ? 'only a single SELECT is answered here'
      : `SQL: ${problem ?? 'there is no statement'}`,
  );
}

export function refused(why: string, cause?: unknown): FedloopError {
  return new FedloopError('InvalidInput', why, { cause });
}

/** DuckDB's own parse of a text; no statements for one that is no SELECT. */
async function parse(inside: Statements, sql: string): Promise<z.infer<typeof treeSchema>> {
  const [row] = await inside
    .rows(treeRow, 'SELECT json_serialize_sql($sql::VARCHAR) AS tree', { sql })
    .catch((cause: unknown) => {
      throw refused(`SQL: ${messageOf(cause)}`, cause);
    });
  return parseOrThrow(treeSchema, parseJson(row?.tree ?? ''), 'the parsed query', 'Internal');
}

/** EXPLAIN ANALYZE would run what it explains: it is no query of the tables. */
function explainedBy(sql: string): string | undefined {
  return /^\s*explain\s+(?!analy[sz]e\b|\()([\s\S]+)$/i.exec(sql)?.[1];
}

/** Nodes of DuckDB's syntax tree that name something. */
const functionNode = z.object({ function_name: z.string() });
const tableFunctionNode = z.object({ type: z.literal('TABLE_FUNCTION'), function: functionNode });
const tableNode = z.object({
  type: z.literal('BASE_TABLE'),
  table_name: z.string(),
  schema_name: z.string(),
});
const showNode = z.object({ type: z.literal('SHOW_REF'), table_name: z.string(), query: z.unknown() });
const withNode = z.object({ cte_map: z.object({ map: z.array(z.object({ key: z.string() })) }) });

interface Names {
  readonly tables: { readonly schema: string; readonly name: string }[];
  readonly queryNames: Set<string>;
}

async function assertNames(inside: Statements, statement: unknown): Promise<void> {
  const names: Names = { tables: [], queryNames: new Set() };
  // Not recursive: a text of 100,000 bytes can nest deep.
  const rest: unknown[] = [statement];
  const childrenOf = (parent: object): readonly unknown[] => Object.values(parent);
  while (rest.length > 0) {
    const node = rest.pop();
    if (typeof node !== 'object' || node === null) continue;
    const checked = checkNode(node, names);
    for (const child of childrenOf(node)) if (child !== checked) rest.push(child);
    if (typeof checked === 'object' && checked !== null) rest.push(...childrenOf(checked));
  }
  const known = await tablesOf(inside);
  for (const { schema, name } of names.tables) {
    const isKnown =
      schema === 'information_schema' ||
      names.queryNames.has(name) ||
      known.has(name) ||
      ALLOWED_CATALOG_VIEWS.has(name);
    if (!isKnown) throw refused(`there is no table ${JSON.stringify(name)}; SHOW TABLES lists them`);
  }
}

/** @returns the child that has been checked as a whole: a table function's call. */
function checkNode(node: object, { tables, queryNames }: Names): unknown {
  const from = tableFunctionNode.safeParse(node);
  if (from.success) {
    const { function_name: name } = from.data.function;
    if (!isAllowedInFrom(name)) throw notAllowed(name);
    return 'function' in node ? node.function : undefined;
  }
  const call = functionNode.safeParse(node);
  if (call.success && !isAllowedInExpressions(call.data.function_name))
    throw notAllowed(call.data.function_name);
  const table = tableNode.safeParse(node);
  if (table.success)
    tables.push({ schema: table.data.schema_name.toLowerCase(), name: table.data.table_name.toLowerCase() });
  const show = showNode.safeParse(node);
  if (show.success && show.data.query === null) tables.push({ schema: '', name: shownTable(show.data) });
  const withQueries = withNode.safeParse(node);
  if (withQueries.success)
    for (const { key } of withQueries.data.cte_map.map) queryNames.add(key.toLowerCase());
  return undefined;
}

/** `SHOW TABLES` and `SHOW ALL TABLES` stand in the tree as tables of these names. */
function shownTable({ table_name: name }: z.infer<typeof showNode>): string {
  const shown = name.replaceAll('"', '').toLowerCase();
  return ['tables', '__show_tables_expanded'].includes(shown) ? 'duckdb_tables' : shown;
}

async function tablesOf({ rows }: Statements): Promise<ReadonlySet<string>> {
  const found = await rows(
    nameRow,
    `SELECT lower(table_name) AS name FROM duckdb_tables() WHERE NOT internal
     UNION ALL SELECT lower(view_name) FROM duckdb_views() WHERE NOT internal`,
  );
  return new Set(found.map(({ name }) => name));
}

/**
 * A PIVOT without IN has no tree: DuckDB makes two statements of it. So its text is read: whatever stands before a bracket and is
 * a function of DuckDB has to be allowed. Text inside of strings counts as well, which refuses too much and never too little.
 */
async function assertPivot({ rows }: Statements, sql: string): Promise<void> {
  const text = sql.trim().replace(/;$/, '');
  if (text.includes(';')) throw refused('one statement at a time, and no semicolon inside of a PIVOT');
  if (/--|\/\*/.test(text)) throw refused('a PIVOT without IN takes no comments');
  const functions = await rows(
    nameRow,
    'SELECT DISTINCT lower(function_name) AS name FROM duckdb_functions()',
  );
  const known = new Set(functions.map(({ name }) => name));
  for (const name of namesBeforeBrackets(text)) {
    if (known.has(name) && !isAllowedInExpressions(name) && !isAllowedInFrom(name)) throw notAllowed(name);
  }
}

function namesBeforeBrackets(text: string): readonly string[] {
  return [...text.matchAll(/\(/g)].flatMap(({ index }) => {
    const before = text.slice(0, index).trimEnd();
    if (/[^\x20-\x7e\s]$/.test(before)) throw refused('a PIVOT without IN takes ASCII before a bracket');
    const name = /"([^"]*)"$/.exec(before)?.[1] ?? /\w+$/.exec(before)?.[0];
    return name === undefined ? [] : [name.toLowerCase()];
  });
}

function notAllowed(name: string): FedloopError {
  return refused(
    `the function ${name} is not allowed in a query; functions that make values of values are, and no others`,
  );
}
