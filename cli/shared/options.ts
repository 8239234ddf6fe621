import { readFileSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import { STRATEGY_NAMES } from '../../core/contracts/strategies';
import { durationSchema } from '../../core/contracts/settings';

/** Parsers of option values. Commander puts the option's name before their messages. */

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(
        max === Number.MAX_SAFE_INTEGER
          ? `It must be a whole number of at least ${min}.`
          : `It must be a whole number from ${min} to ${max}.`,
      );
    }
    return value;
  };
}

export function positiveNumber(text: string): number {
  return numberWhere((value) => value > 0, text, 'It must be a number above 0.');
}

export function numberFromZero(text: string): number {
  return numberWhere((value) => value >= 0, text, 'It must be 0 or a number above it.');
}

function numberWhere(isAllowed: (value: number) => boolean, text: string, rule: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || !isAllowed(value))
    throw new InvalidArgumentError(rule);
  return value;
}

/** `max`, or a factor of the wall clock. */
export const speed = wordOr('max', positiveNumber);

/** `all`, or a number of devices. */
export const participants = wordOr('all', wholeNumber(1));

export function wordOr<Word extends string, Value>(
  word: Word,
  parse: (text: string) => Value,
): (text: string) => Value | Word {
  return (text) => {
    if (text === word) return word;
    try {
      return parse(text);
    } catch (cause) {
      if (!(cause instanceof InvalidArgumentError)) throw cause;
      throw new InvalidArgumentError(cause.message.replace('It must be', `It must be "${word}" or`));
    }
  };
}

/** JSON text, `@file`, or `-` for standard input. The command checks the content. */
export function json(text: string): unknown {
  let content = text;
  if (text === '-' || text.startsWith('@')) {
    try {
      content = readFileSync(text === '-' ? 0 : text.slice(1), 'utf8');
    } catch {
      throw new InvalidArgumentError(`${text === '-' ? 'Standard input' : text.slice(1)} cannot be read.`);
    }
  }
  try {
    return JSON.parse(content);
  } catch {
    throw new InvalidArgumentError(
      'It is not JSON. Quote it for the shell, such as \'{"participants": 20}\'.',
    );
  }
}

/** Milliseconds of `30s`, `5m`, `0s`. */
export function duration(text: string): number {
  const millis = durationSchema.safeParse(text);
  if (!millis.success)
    throw new InvalidArgumentError(`${millis.error.issues.map(({ message }) => message).join('; ')}.`);
  return millis.data;
}

export function port(text: string): number {
  return wholeNumber(1, 65_535)(text);
}

export function strategyOption(): Option {
  return new Option('--strategy <name>', 'how updates are aggregated')
    .choices(STRATEGY_NAMES)
    .default('closed-loop');
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON on stdout');
}
