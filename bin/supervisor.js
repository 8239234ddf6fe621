'use strict';
/**
 * Outlives the command that started it, even after `kill -9`, and leaves no process of that command behind.
 *
 * Its standard input is a pipe that only the command holds. Lines `+<pid>` and `-<pid>` add and remove process groups; each is
 * answered with `ok`, so that a child starts its work only once it is known here. End of input means that the command is gone:
 * every group on the list gets SIGTERM, then SIGKILL, unless another process has its number by then.
 */
const { readFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const { clearInterval, setInterval } = require('node:timers');

/** Longer than a broker needs to close its log, and short enough that the next command does not find it running. */
const GRACE_MILLIS = Number(process.argv[2] ?? 5_000);
const POLL_MILLIS = 50;

/** By its number, when the group's leader was started. */
const groups = new Map();

// The command handles Ctrl-C and a closing terminal; its end reaches us through the pipe.
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => undefined);
process.stdout.on('error', () => undefined);

createInterface({ input: process.stdin })
  .on('line', (line) => {
    const pid = Number(line.slice(1));
    if (!Number.isInteger(pid) || pid <= 1) return;
    if (line.startsWith('+')) groups.set(pid, startOf(pid));
    else groups.delete(pid);
    process.stdout.write('ok\n');
  })
  .on('close', stopAll);

function stopAll() {
  const deadline = Date.now() + GRACE_MILLIS;
  signalAll('SIGTERM');
  const timer = setInterval(() => {
    for (const pid of groups.keys()) if (!signal(pid, 0)) groups.delete(pid);
    if (groups.size > 0 && Date.now() < deadline) return;
    signalAll('SIGKILL');
    clearInterval(timer);
    process.exit(0);
  }, POLL_MILLIS);
}

function signalAll(name) {
  for (const pid of groups.keys()) signal(pid, name);
}

/** @returns whether the group still has a member. */
function signal(pid, name) {
  const started = startOf(pid);
  // A leader that has ended may have left others in its group, which keep its number.
  if (started !== undefined && started !== groups.get(pid)) return false;
  try {
    process.kill(-pid, name);
    return true;
  } catch {
    return false;
  }
}

/** When a process was started, in ticks since the boot (`/proc/<pid>/stat`, 22nd field); undefined without it, or without `/proc`. */
function startOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  } catch {
    return undefined;
  }
}
