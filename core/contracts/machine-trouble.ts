import { FedloopError, messageOf } from './errors';

/** What a machine can run out of, or refuse: nothing in the data brings these about, and work goes on once they are over. */
type MachineTrouble = 'disk-full' | 'read-only' | 'not-permitted' | 'open-files' | 'memory';

/** In the words of Node, of DuckDB and of the programs that are started. */
const SIGNS: readonly (readonly [MachineTrouble, RegExp])[] = [
  ['disk-full', /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded|database or disk is full/i],
  ['read-only', /EROFS|Read-only file system/i],
  ['open-files', /EMFILE|ENFILE|Too many open files/i],
  ['not-permitted', /EACCES|EPERM|Permission denied|Operation not permitted/i],
  [
    'memory',
    /ENOMEM|Cannot allocate memory|Out of Memory Error|heap out of memory|Reached heap limit|OutOfMemoryError|bad_alloc/i,
  ],
];

const ADVICE: Readonly<
  Record<MachineTrouble, { readonly said: (where: string) => string; readonly hint: string }>
> = {
  'disk-full': {
    said: (where) => `the disk of ${where} is full`,
    hint: 'Free space on it (`df -h` shows it), or put the folder on a larger one.',
  },
  'read-only': {
    said: (where) => `the file system of ${where} is read-only`,
    hint: 'Mount it writable, or use another folder.',
  },
  'not-permitted': {
    said: (where) => `${where} may not be written`,
    hint: 'Give this user the right to write there, or use another folder.',
  },
  'open-files': {
    said: (where) => `too many files are open to use ${where}`,
    hint: 'Raise the limit of open files: `ulimit -n 4096`.',
  },
  memory: {
    said: (where) => `there is not enough memory for ${where}`,
    hint: 'Give the process more memory, or stop others on this machine.',
  },
};

/** What ends a program by itself, where its log says so at all. */
const ENDS_PROGRAMS: readonly MachineTrouble[] = ['disk-full', 'open-files', 'memory'];

/** What made a program end, by the last lines of its log; undefined where these do not say. */
export function machineSentenceOfLog(
  log: string,
  where: string,
): { readonly message: string; readonly hint: string } | undefined {
  const trouble = machineTroubleIn(log);
  return trouble === undefined || !ENDS_PROGRAMS.includes(trouble) ? undefined : machineSentence(log, where);
}

/** What the machine lacks, by the message of an error; undefined for every other error. */
export function machineTroubleIn(message: string): MachineTrouble | undefined {
  return SIGNS.find(([, sign]) => sign.test(message))?.[0];
}

/** One sentence about what the machine lacks for `where`, and what to do; undefined for every other error. */
export function machineSentence(
  thrown: unknown,
  where: string,
): { readonly message: string; readonly hint: string } | undefined {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? messageOf(thrown.cause) : '';
  const trouble = machineTroubleIn(messageOf(thrown)) ?? machineTroubleIn(cause);
  if (trouble === undefined) return undefined;
  const { said, hint } = ADVICE[trouble];
  return { message: said(where), hint };
}

/** The same as an error; what the machine does not explain is said as `otherwise`. */
export function machineError(
  code: ConstructorParameters<typeof FedloopError>[0],
  thrown: unknown,
  where: string,
  otherwise: string,
): FedloopError {
  const said = machineSentence(thrown, where);
  if (said === undefined)
    return new FedloopError(code, `${otherwise}: ${messageOf(thrown)}`, { cause: thrown });
  return new FedloopError(code, said.message, { hint: said.hint, cause: thrown });
}
