import { interrupted } from './wait';

let controller: AbortController | undefined;

/**
 * Aborted by the first Ctrl-C (or a request to end, or a terminal that closes), so that a command can put away what it has
 * started. The second one ends the command at once; the supervisor does the rest.
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
