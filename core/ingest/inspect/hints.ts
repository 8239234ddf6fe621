import { type TimeUnit } from '../../contracts/source';

/** What a person has said about a sample; everything else is looked for in it. */
export interface Hints {
  readonly deviceId?: string;
  readonly timestamp?: string;
  readonly timeUnit?: TimeUnit;
  readonly target?: string;
  readonly covariates?: readonly string[];
  readonly each?: string;
  readonly wide?: string;
  /** Durations, such as `30s`. */
  readonly window?: string;
  readonly hold?: string;
  readonly duplicates?: 'time' | 'reading';
}

/** Hints that a question can ask for. */
export type AskedHint = Exclude<keyof Hints, 'covariates'>;

/** The option of the command line that gives a hint. */
export const FLAGS: Record<AskedHint, string> = {
  deviceId: '--device-id',
  timestamp: '--timestamp',
  timeUnit: '--time-unit',
  target: '--target',
  each: '--each',
  wide: '--wide',
  window: '--window',
  hold: '--hold',
  duplicates: '--duplicates',
};

interface Choice {
  readonly value: string;
  /** What speaks for it, as the end of a line. */
  readonly why: string;
}

/** What a sample leaves open: only a person can say it. */
export interface Question {
  readonly asks: AskedHint;
  /** What is unclear, as one sentence without its full stop. */
  readonly unclear: string;
  /** Answers that the sample suggests; another one may be right. */
  readonly choices: readonly Choice[];
}

/** What was found out, or the question that has to be answered first. */
export type Finding<Value> = { readonly found: Value } | { readonly question: Question };
