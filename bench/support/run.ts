import { describeFailure } from '../../cli/shared/fail';
import { type Session, withSession } from '../../cli/system/session';

/** Run a benchmark that starts processes, and end this one: with a sentence where it fails, and without waiting for what still runs. */
export function runBenchmark(main: (session: Session) => Promise<void>): void {
  withSession(main)
    .catch((thrown: unknown) => {
      const { text, exitCode } = describeFailure(thrown, false);
      process.stderr.write(text);
      process.exitCode = exitCode;
    })
    .finally(() => {
      process.exit();
    });
}
