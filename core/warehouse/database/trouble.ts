import { FedloopError, messageOf } from '../../contracts/errors';
import { machineError, machineTroubleIn } from '../../contracts/machine-trouble';

/** DuckDB's words for bytes that are not what it has written. */
const DAMAGED =
  /Corrupt database file|Corrupt WAL|not a valid DuckDB database file|Could not read enough bytes|Failure while replaying WAL|Serialization Error|Failed to load metadata pointer|does not match stored checksum/i;

/** After it, every statement fails until the file is opened again. */
const INVALIDATED = /^(Error: )?FATAL Error|database has been invalidated/i;

export function isDamage(message: string): boolean {
  return DAMAGED.test(message);
}

export function isInvalidated(message: string): boolean {
  return INVALIDATED.test(message) && !isDamage(message);
}

/** Whether work goes on once the machine lets it: there is nothing wrong with the file, nor with what is stored in it. */
export function passesBy(thrown: unknown): boolean {
  const messages = [messageOf(thrown), thrown instanceof Error ? messageOf(thrown.cause) : ''];
  return !messages.some(isDamage) && messages.some((message) => machineTroubleIn(message) !== undefined);
}

/** An error of DuckDB in one sentence, and what to do about it. */
export function warehouseError(file: string, what: string, cause: unknown): FedloopError {
  if (cause instanceof FedloopError) return cause;
  const message = messageOf(cause);
  if (!isDamage(message)) return machineError('WarehouseFailed', cause, file, `${what} (${file})`);
  return damagedError(file, message, cause);
}

/** @param detail what shows the damage */
export function damagedError(file: string, detail: string, cause?: unknown): FedloopError {
  return new FedloopError('WarehouseFailed', `the warehouse ${file} is damaged: ${firstLine(detail)}`, {
    hint:
      `Move ${file} and ${file}.wal away and start again: rows of windows, evaluations and rejects are stored anew ` +
      'from the topics, as far back as these reach; restore a backup to keep older ones and the records of rounds.',
    cause,
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
