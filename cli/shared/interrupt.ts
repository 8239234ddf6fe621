import { interrupted } from './wait';

let controller: AbortController | undefined;

/**
 * A signal that the first Ctrl-C aborts (or SIGTERM, or a terminal that closes), so that a command can stop what it has started.
 * The second one ends the command at once; the supervisor ends its processes.
 */
export function interruption(): AbortSignal {
  if (controller !== undefined) return controller.signal;
  const abort = new AbortController();
  controller = abort;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (abort.signal.aborted) process.exit(interrupted().exitCode);
      abort.abort(interrupted());
    });
  }
  return abort.signal;
}
