import { formatSeconds, type Progress, type Step } from './progress';

/** Lines rarer than this while a step runs: a log should show life, not every percent. */
const EVERY_MILLIS = 10_000;

/** Progress as plain lines, for logs and pipes: a line at each beginning and end, and a sign of life between. */
export function plainProgress(
  write: (text: string) => void,
  now: () => number = () => performance.now(),
): Progress {
  return {
    step: (title) => plainStep(title, write, now),
    note: (line) => {
      write(`${line}\n`);
    },
    stop: () => undefined,
  };
}

function plainStep(title: string, write: (text: string) => void, now: () => number): Step {
  const began = now();
  let told = began;
  let called = title;
  write(`${called} …\n`);
  return {
    rename(renamed) {
      called = renamed;
    },
    update(detail, fraction) {
      if (now() - told < EVERY_MILLIS) return;
      told = now();
      write(`${called}: ${detail}${fraction === undefined ? '' : ` (${Math.floor(fraction * 100)} %)`}\n`);
    },
    done(result) {
      write(`${called}: ${result ?? 'done'} (${formatSeconds(now() - began)})\n`);
    },
    fail(why = 'failed') {
      write(`${called}: ${why}\n`);
    },
  };
}
