import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { FedloopError } from '../../../contracts/errors';
import { checkStep, type CheckedStep } from './check-step';
import { type Context, type Update } from './define-strategy';
import { HEAP_MB, LOAD_LIMIT_MS, STEP_LIMIT_MS, UPDATES_A_MESSAGE } from './limits';
import { type StrategyModule } from './module-file';
import { readAnswer, type About, type Answer, type Order, type Returned } from './protocol';
import { readAbout, readSettings } from './settings';

export interface StartOptions {
  /** Whether what the module prints goes to stderr; left out: nowhere. */
  readonly prints?: boolean;
  readonly loadLimitMillis?: number;
  readonly stepLimitMillis?: number;
}

export interface StepInput {
  readonly updates: readonly Update[];
  readonly context: Context;
  /** As a round's input gives them: checked, and filled up with defaults. */
  readonly settings: Readonly<Record<string, number>>;
}

/** Variables that a module may see. Credentials of the worker are none of its business. */
const VARIABLES = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG'];

/**
 * A strategy of one's own at work: in a process of its own, which is killed when it takes too long. Whatever the module does, it ends that
 * process, and the one that asks has an error with the module's name and line.
 */
export class RunningStrategy {
  private readonly child: ChildProcess;
  /** Rejects when the process ends. */
  private readonly ended: Promise<never>;
  private loaded: About = { summary: null, settings: {} };
  private closed = false;

  private constructor(
    readonly module: StrategyModule,
    private readonly options: StartOptions,
  ) {
    this.child = fork(program(), [module.file, module.folder], {
      cwd: module.folder,
      serialization: 'advanced',
      stdio: [
        'ignore',
        ...(options.prints === true ? ([2, 2] as const) : (['ignore', 'ignore'] as const)),
        'ipc',
      ],
      env: Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]])),
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
    });
    this.ended = new Promise((_, reject) => {
      this.child.once('error', (cause) => {
        reject(this.failure(`its process cannot be used: ${cause.message}`));
      });
      this.child.once('exit', (code, signal) => {
        reject(
          this.failure(
            signal === null
              ? `the module ended its process (exit code ${String(code)})`
              : `its process was ended by ${signal}, as for want of memory`,
          ),
        );
      });
    });
    // Nobody waits for it between two steps.
    this.ended.catch(() => undefined);
  }

  /**
   * Load a module.
   * @throws FedloopError `StrategyFailed` with what is wrong with it, and where
   */
  static async start(module: StrategyModule, options: StartOptions = {}): Promise<RunningStrategy> {
    const running = new RunningStrategy(module, options);
    try {
      const answer = await running.answer('load', options.loadLimitMillis ?? LOAD_LIMIT_MS);
      if (answer.type !== 'loaded') throw running.failure('it answered before it was asked');
      if (answer.sha256 !== module.sha256) throw running.failure('the file was changed while it was loaded');
      running.loaded = readAbout(module.name, answer.about);
      return running;
    } catch (thrown) {
      running.close();
      throw thrown;
    }
  }

  get about(): About {
    return this.loaded;
  }

  /** @throws FedloopError `InvalidInput` for settings that the module does not have. */
  settings(given: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
    return readSettings(this.module.name, this.about, given);
  }

  /**
   * One step, checked number by number.
   * @throws FedloopError `StrategyFailed`
   */
  async aggregate(input: StepInput): Promise<CheckedStep> {
    return this.checked(input, (await this.stepOf(input, false)).returned);
  }

  /** The same, and whether the module changed what it was given. */
  async watchedStep(input: StepInput): Promise<CheckedStep & { readonly changedInput: boolean }> {
    const { returned, changedInput } = await this.stepOf(input, true);
    return { ...this.checked(input, returned), changedInput };
  }

  close(): void {
    this.closed = true;
    this.child.kill('SIGKILL');
  }

  get isAlive(): boolean {
    return !this.closed && this.child.exitCode === null && this.child.signalCode === null;
  }

  private checked({ updates, context }: StepInput, returned: Returned | null): CheckedStep {
    return checkStep(this.module.name, returned, {
      updates: updates.length,
      parameters: context.base.length,
    });
  }

  private async stepOf(
    { updates, context, settings: given }: StepInput,
    watch: boolean,
  ): Promise<Extract<Answer, { type: 'step' }>> {
    const settings = this.settings(given);
    const answered = this.answer('make a step', this.options.stepLimitMillis ?? STEP_LIMIT_MS);
    const asked = async (): Promise<never> => {
      for (let first = 0; first < updates.length; first += UPDATES_A_MESSAGE)
        await this.send({ type: 'updates', updates: updates.slice(first, first + UPDATES_A_MESSAGE) });
      await this.send({ type: 'aggregate', context, settings, watch });
      return this.ended;
    };
    const answer = await Promise.race([answered, asked()]);
    if (answer.type !== 'step') throw this.failure('it loaded a second time');
    return answer;
  }

  private send(order: Order): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.isAlive) {
        reject(this.failure('its process has ended'));
        return;
      }
      this.child.send(order, (failure) => {
        // Why a process is gone, its end says better.
        if (failure === null) resolve();
        else this.ended.catch(reject);
      });
    });
  }

  /** The next answer. @throws FedloopError `StrategyFailed` where it is a failure, does not come in time, or can no longer come */
  private async answer(what: string, limitMillis: number): Promise<Exclude<Answer, { type: 'failed' }>> {
    let timer: NodeJS.Timeout | undefined;
    let receive: ((message: unknown) => void) | undefined;
    const came = new Promise<Answer>((resolve, reject) => {
      receive = (message: unknown): void => {
        const answer = readAnswer(message);
        if (answer === undefined) reject(this.failure('it sent a message that is no answer'));
        else resolve(answer);
      };
      this.child.once('message', receive);
      timer = setTimeout(() => {
        this.close();
        reject(this.failure(`it did not ${what} within ${limitMillis / 1_000} s, and was ended`));
      }, limitMillis);
    });
    try {
      const answer = await Promise.race([came, this.ended]);
      if (answer.type !== 'failed') return answer;
      throw this.failure(`${answer.message}${answer.at === null ? '' : ` (${answer.at})`}`, answer.isSlip);
    } finally {
      clearTimeout(timer);
      if (receive !== undefined) this.child.off('message', receive);
    }
  }

  private failure(what: string, isSlip = true): StrategyFailure {
    return new StrategyFailure(`strategy ${this.module.name}: ${what}`, isSlip);
  }
}

/** A module that failed: by a slip, or by an error of its own making, with which it may refuse updates. */
export class StrategyFailure extends FedloopError {
  constructor(
    message: string,
    readonly isSlip: boolean,
  ) {
    super('StrategyFailed', message);
  }
}

/** The compiled program, also where sources run. */
function program(): string {
  const beside = join(__dirname, 'strategy-process.js');
  if (existsSync(beside)) return beside;
  return join(
    __dirname,
    '..',
    '..',
    '..',
    '..',
    'dist',
    'core',
    'federation',
    'strategies',
    'own',
    'strategy-process.js',
  );
}
