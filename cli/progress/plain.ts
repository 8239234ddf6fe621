import { formatSeconds, type Progress, type Step } from './progress';

/** Shortest time between two lines of a running step: a log should show that it works, not every percent. */
const MIN_MILLIS = 10_000;

/** Progress as plain lines, for logs and pipes: a line at each beginning and end, and a few in between. */
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
  let written = began;
  let name = title;
  write(`${name} …\n`);
  return {
    rename(renamed) {
      name = renamed;
    },
    update(detail, fraction) {
      if (now() - written < MIN_MILLIS) return;
      written = now();
      write(`${name}: ${detail}${fraction === undefined ? '' : ` (${Math.floor(fraction * 100)} %)`}\n`);
    },
    done(result) {
      write(`${name}: ${result ?? 'done'} (${formatSeconds(now() - began)})\n`);
    },
    fail(why = 'failed') {
      write(`${name}: ${why}\n`);
    },
  };
}
