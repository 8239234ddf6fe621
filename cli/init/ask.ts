import { createInterface } from 'node:readline/promises';
import { FedloopError } from '../../core/contracts/errors';
import { FLAGS, type Question } from '../../core/ingest/inspect/hints';
import { printable } from '../shared/format';

/**
 * Ask a person on the terminal.
 * @returns the answer as the option's text.
 * @throws FedloopError `Interrupted` on Ctrl-C or Ctrl-D.
 */
export async function askOnTerminal({ unclear, choices, asks }: Question): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const lines = [
    `${capital(unclear)}.`,
    ...choices.map(({ value, why }, index) => `  ${index + 1}  ${value}   ${why}`),
  ];
  process.stderr.write(`${printable(lines.join('\n'))}\n`);
  const prompt =
    choices.length === 0 ? `${FLAGS[asks]}: ` : `${FLAGS[asks]} (1 to ${choices.length}, or another): `;
  try {
    for (;;) {
      const answer = (await closable(terminal.question(prompt), terminal)).trim();
      if (answer !== '') return choices[Number(answer) - 1]?.value ?? answer;
    }
  } finally {
    terminal.close();
  }
}

/** An answer, or the end of the terminal's input. */
function closable(answer: Promise<string>, terminal: ReturnType<typeof createInterface>): Promise<string> {
  return new Promise((resolve, reject) => {
    terminal.once('close', () => {
      reject(new FedloopError('Interrupted', 'stopped: the question was not answered'));
    });
    answer.then(resolve, reject);
  });
}

/** A question that nobody can be asked. */
export function unanswered({ unclear, choices, asks }: Question): FedloopError {
  const [first] = choices;
  const flag = FLAGS[asks];
  const example = first === undefined ? '' : `, such as ${flag} ${quoted(first.value)} (${first.why})`;
  return new FedloopError('InvalidInput', unclear, { hint: `Say it with ${flag}${example}.` });
}

function quoted(value: string): string {
  return /[*?$&;| ]/.test(value) ? `"${value}"` : value;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
