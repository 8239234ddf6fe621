/**
 * Every failure that Fedloop raises on purpose has one of these codes. The set is closed: a caller can switch over it.
 * `exit` is the status that the command line ends with. `retryable`: another attempt at the same work may succeed.
 */
export const ERROR_CODES = {
  InvalidInput: { exit: 2, retryable: false },
  InvalidConfig: { exit: 2, retryable: false },
  InvalidData: { exit: 2, retryable: false },
  NotFound: { exit: 2, retryable: false },
  PortInUse: { exit: 2, retryable: false },
  ServerUnavailable: { exit: 2, retryable: true },
  KafkaUnavailable: { exit: 2, retryable: true },
  WarehouseBusy: { exit: 2, retryable: true },
  WarehouseFailed: { exit: 1, retryable: true },
  InvalidModel: { exit: 1, retryable: false },
  TooFewUpdates: { exit: 1, retryable: false },
  TooFewWindows: { exit: 1, retryable: false },
  RowsDiffer: { exit: 1, retryable: false },
  RoundInProgress: { exit: 1, retryable: false },
  TimedOut: { exit: 1, retryable: false },
  PrivacyBudgetSpent: { exit: 1, retryable: false },
  StrategyFailed: { exit: 1, retryable: false },
  RoundOvertaken: { exit: 1, retryable: false },
  Interrupted: { exit: 130, retryable: false },
  Internal: { exit: 1, retryable: true },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

/** Codes of failures that another attempt cannot mend: what retry policies of Temporal leave out. */
export const NON_RETRYABLE: readonly ErrorCode[] = Object.keys(ERROR_CODES)
  .filter(isErrorCode)
  .filter((code) => !ERROR_CODES[code].retryable);

/** An error with a code, one sentence and, where it helps, what to do. Its message never holds a secret. */
export class FedloopError extends Error {
  override readonly name = 'FedloopError';
  /** What the reader can do about it; printed after the message. */
  readonly hint: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.hint = options.hint;
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable;
  }
}

/** What went wrong and, where it is known, what to do: for places that show one text. */
export function messageWithHint(thrown: unknown): string {
  const hint = thrown instanceof FedloopError ? thrown.hint : undefined;
  return hint === undefined ? messageOf(thrown) : `${messageOf(thrown)}. ${hint}`;
}

/** Text of anything that was thrown, as a part of a message. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
