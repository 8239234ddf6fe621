'use strict';
/**
 * Outlives the command that started it, whatever ends that command (`kill -9` included), and leaves no process behind.
 *
 * Its standard input is a pipe that only the command holds. Lines `+<pid>` and `-<pid>` name the process groups it watches
 * over; each is answered with `ok`, so that a child is let go only once it is known here. End of input means that the command
 * is gone: every group still on the list is asked to stop, then killed.
 */
const { createInterface } = require('node:readline');
const { clearInterval, setInterval } = require('node:timers');

/** Longer than a broker needs to close its log, short enough that nobody meets the leftovers. */
const GRACE_MILLIS = Number(process.argv[2] ?? 5_000);
const POLL_MILLIS = 50;

const groups = new Set();

// A terminal that closes or a Ctrl-C is the command's to deal with; its end reaches us through the pipe.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => undefined);
process.stdout.on('error', () => undefined);

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const pid = Number(line.slice(1));
    if (!Number.isInteger(pid) || pid <= 1) return;
    if (line.startsWith('+')) groups.add(pid);
    else groups.delete(pid);
    process.stdout.write('ok\n');
  })
  .on('close', stopAll);

function stopAll() {
  const deadline = Date.now() + GRACE_MILLIS;
  signalAll('SIGTERM');
  const timer = setInterval(() => {
    for (const pid of groups) if (!signal(pid, 0)) groups.delete(pid);
    if (groups.size > 0 && Date.now() < deadline) return;
    signalAll('SIGKILL');
    clearInterval(timer);
    process.exit(0);
  }, POLL_MILLIS);
}

function signalAll(name) {
  for (const pid of groups) signal(pid, name);
}

/** @returns whether the group still has a member. */
function signal(pid, name) {
  try {
    process.kill(-pid, name);
    return true;
  } catch {
    return false;
  }
}
