import { type Connection } from '@temporalio/client';
import { messageOf } from '../core/contracts/errors';
import { SEARCH_ATTRIBUTES } from '../core/contracts/search-attributes';
import { type Logger } from '../core/platform/log';

const ATTRIBUTES = Object.values(SEARCH_ATTRIBUTES);
/** Numbers of temporal.api.enums.v1.IndexedValueType. */
const INDEXED_VALUE_TYPES = { KEYWORD: 2, DOUBLE: 4 } as const;

/**
 * Make Fedloop's search attributes known to the namespace where that is allowed.
 * @returns whether the namespace knows all of them now: a workflow that sets unknown ones gets stuck.
 */
export async function registerSearchAttributes(
  connection: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
  log: Logger,
): Promise<boolean> {
  try {
    const known = await knownAttributes(connection, namespace);
    const missing = ATTRIBUTES.filter(({ name }) => !known.has(name));
    if (missing.length === 0) return true;
    await connection.operatorService.addSearchAttributes({
      namespace,
      searchAttributes: Object.fromEntries(
        missing.map(({ name, type }) => [name, INDEXED_VALUE_TYPES[type]]),
      ),
    });
    return true;
  } catch (cause) {
    log.warn(
      { reason: messageOf(cause) },
      `the namespace ${namespace} does not take search attributes from here, so rounds set none; add ${ATTRIBUTES.map(({ name, type }) => `${name} (${type})`).join(', ')} and restart`,
    );
    return false;
  }
}

/** Names that the namespace knows. Temporal Cloud has no operator service; there the workflow service has them. */
async function knownAttributes(
  { operatorService, workflowService }: Pick<Connection, 'operatorService' | 'workflowService'>,
  namespace: string,
): Promise<ReadonlySet<string>> {
  try {
    const { customAttributes } = await operatorService.listSearchAttributes({ namespace });
    return new Set(Object.keys(customAttributes));
  } catch {
    const { keys } = await workflowService.getSearchAttributes({});
    return new Set(Object.keys(keys));
  }
}
