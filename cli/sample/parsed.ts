import { FedloopError } from '../../core/contracts/errors';
import { type SampleMessage } from '../../core/ingest/inspect/sample';
import { parseMessage } from '../../core/ingest/message';
import { counted, printable } from '../shared/format';
import { type Sample } from './types';

/**
 * The messages of a sample that are JSON.
 * @throws FedloopError `InvalidData` where none is.
 */
export function parsedMessages({ name, messages }: Sample): readonly SampleMessage[] {
  const parsed = messages.flatMap(({ bytes, partition }) => {
    const message = parseMessage(bytes);
    return 'reject' in message ? [] : [{ value: message.value, partition }];
  });
  if (parsed.length > 0) return parsed;
  const begin = Buffer.from(messages[0]?.bytes ?? [])
    .toString('utf8')
    .slice(0, 60);
  throw new FedloopError(
    'InvalidData',
    `none of the ${counted(messages.length, 'message')} of ${name} is JSON: the first begins with ${printable(JSON.stringify(begin))}`,
    { hint: 'Give JSON lines, one JSON array, or CSV with a header line; each may be gzipped.' },
  );
}
