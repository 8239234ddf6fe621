import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { isoOfMicros } from '../../core/contracts/time';
import { inWords } from '../../core/ingest/inspect/durations';
import { type AskedHint, type Hints, type Question } from '../../core/ingest/inspect/hints';
import { parseHint } from '../../core/ingest/inspect/parse-hint';
import { lackingSentences } from '../../core/ingest/inspect/structure';
import { type SampleMessage } from '../../core/ingest/inspect/sample';
import { understand, type Understanding } from '../../core/ingest/inspect/understand';
import { askOnTerminal, unanswered } from '../init/ask';
import { deploymentText } from '../init/deployment-text';
import { parsedMessages } from '../sample/parsed';
import { readSample, type SampleOptions } from '../sample/sample';
import { type Sample } from '../sample/types';
import { counted, printable } from '../shared/format';
import { outColours as pc } from '../shared/colours';
import { type Session } from '../system/session';

export interface InitOptions extends SampleOptions, Omit<Hints, 'covariates'> {
  readonly out: string;
  readonly force?: true;
  readonly yes?: true;
  readonly fleet?: string;
  readonly covariate: readonly string[];
  readonly tolerance?: number | 'auto';
  readonly json?: true;
}

/** More messages say nothing new about a fleet. */
const MESSAGES = 10_000;

/**
 * Look at real messages and write the file that describes their fleet.
 * @throws FedloopError `InvalidInput` where the sample leaves something open and nobody can be asked.
 */
export async function init(session: Session, options: InitOptions): Promise<void> {
  const path = resolve(session.folder, options.out);
  if (options.force !== true && existsSync(path)) {
    throw new FedloopError('InvalidInput', `${options.out} exists already`, {
      hint: 'Write to another file with --out, or overwrite it with --force.',
    });
  }
  const sample = await readSample(session, options, MESSAGES);
  const messages = parsedMessages(sample);
  const understanding = await understandWithAnswers(messages, sample.keepsOrder, options);
  const text = deploymentText(understanding, sample.name);
  await writeFile(path, text).catch((cause: unknown) => {
    throw new FedloopError('InvalidInput', `${options.out} cannot be written: ${messageOf(cause)}`, {
      cause,
    });
  });
  const skipped = sample.messages.length - messages.length;
  session.out(
    options.json === true
      ? `${JSON.stringify(summaryOf(understanding, options.out), null, 2)}\n`
      : sentencesOf(understanding, sample, skipped, options),
  );
}

/** Ask what the sample leaves open until it leaves nothing open. */
async function understandWithAnswers(
  messages: readonly SampleMessage[],
  keepsOrder: boolean,
  options: InitOptions,
): Promise<Understanding> {
  const { fleet, tolerance, topic } = options;
  let hints: Hints = {
    ...givenHints(options),
    ...(options.covariate.length === 0 ? {} : { covariates: options.covariate }),
  };
  for (;;) {
    const finding = understand(messages, hints, { fleet, tolerance, topic, keepsOrder });
    if ('found' in finding) return finding.found;
    hints = { ...hints, ...(await answerTo(finding.question, options)) };
  }
}

const HINTS = [
  'deviceId',
  'timestamp',
  'timeUnit',
  'target',
  'each',
  'wide',
  'window',
  'hold',
  'duplicates',
] as const;

function givenHints(options: InitOptions): Hints {
  return Object.fromEntries(
    HINTS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])),
  );
}

async function answerTo(question: Question, { yes, from }: InitOptions): Promise<Partial<Hints>> {
  // What is read from standard input cannot be a person's answers as well.
  const canAsk = yes !== true && from !== '-' && process.stdin.isTTY && process.stderr.isTTY;
  if (!canAsk) throw unanswered(question);
  for (;;) {
    const answer: unknown = parseHint(question.asks, await askOnTerminal(question));
    if (answer === undefined) process.stderr.write('That is none of the answers.\n');
    else return { [question.asks satisfies AskedHint]: answer };
  }
}

/** The result for programs. */
function summaryOf({ file, rhythm, structure, isCanonical, notes }: Understanding, out: string): object {
  return {
    file: out,
    devices: rhythm.devices,
    readings: rhythm.readings,
    everySeconds: rhythm.spacing === undefined ? null : rhythm.spacing / 1e6,
    needsIngest: !isCanonical,
    notes: [...notes, ...lackingSentences(structure)],
    deployment: file,
  };
}

function sentencesOf(
  { file, rhythm, structure, isCanonical, notes }: Understanding,
  sample: Sample,
  skipped: number,
  { out, from, topic }: InitOptions,
): string {
  const { id, time, target, covariates, wide, each } = structure;
  const rows = [
    [
      'messages',
      `${counted(sample.messages.length, 'message')}${sample.isCut ? ' (the first ones)' : ''}, ${counted(rhythm.readings, 'reading')} of ${counted(rhythm.devices, 'device')}`,
    ],
    ['time', `${isoOfMicros(rhythm.from)} to ${isoOfMicros(rhythm.until)}, from ${time.path} (${time.unit})`],
    [
      'device',
      wide === undefined
        ? `${id?.path ?? ''}${each === undefined ? '' : ` in each element of ${each}`}`
        : `fields like ${wide.pattern}`,
    ],
    ['target', `${target.sensor}${target.unit === '' ? '' : ` in ${target.unit}`}, from ${target.path}`],
    ...(covariates.length === 0 ? [] : [['covariates', covariates.map(({ sensor }) => sensor).join(', ')]]),
    ...(rhythm.spacing === undefined ? [] : [['a device sends', `every ${inWords(rhythm.spacing)}`]]),
    ['window', `${file.window ?? ''}, watermark ${file.watermark ?? ''}`],
    [
      'ingest',
      isCanonical
        ? 'not needed: stream workers read these messages as they are'
        : 'an ingest worker makes events of these messages',
    ],
  ];
  const warnings = [
    ...(skipped === 0
      ? []
      : [`${counted(skipped, 'message')} of the sample ${skipped === 1 ? 'is' : 'are'} no JSON.`]),
    ...notes,
    ...lackingSentences(structure),
    ...(topic === undefined && !isCanonical
      ? ['The file names no topic yet: add source.topic, or source.mqtt, before `fedloop up`.']
      : []),
  ];
  const next = `fedloop check ${from === undefined ? `--topic ${topic ?? ''}` : `--from ${from}`} --config ${out}`;
  const lines = [
    ...rows.map(([name = '', text = '']) => `  ${name.padEnd(14)}  ${printable(text)}`),
    ...warnings.map((sentence) => `  ${pc.yellow('!')} ${printable(sentence)}`),
    '',
    `${pc.green('Written')} to ${out}. Next: ${next}`,
  ];
  return `${lines.join('\n')}\n`;
}
