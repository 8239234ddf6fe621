import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { FedloopError } from '../../core/contracts/errors';
import { lastLines } from '../processes/tail';
import { type Processes } from '../processes/processes';
import { LIMITS } from '../shared/limits';

/** Full path of a program on PATH, or undefined. */
export async function onPath(
  program: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (folder === '') continue;
    const path = join(folder, program);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The first version number that a program prints; undefined without one. */
export async function versionOf(program: string, flag = '--version'): Promise<string | undefined> {
  const printed = await promisify(execFile)(program, [flag], { timeout: LIMITS.externalConnectMillis }).catch(
    () => undefined,
  );
  // Java writes it to stderr.
  return printed === undefined ? undefined : /\d+(?:\.\d+)+/.exec(printed.stdout + printed.stderr)?.[0];
}

interface ToolRun {
  readonly processes: Processes;
  /** Name for messages. */
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  readonly logFile: string;
  readonly onLine?: (line: string) => void;
}

/**
 * Run a tool to its end.
 * @returns its lines on stdout.
 * @throws FedloopError `ServerUnavailable` when it fails; its cause has the end of the tool's output.
 */
export async function runTool(run: ToolRun): Promise<readonly string[]> {
  const lines: string[] = [];
  const child = await run.processes.spawn({
    name: run.name,
    command: run.program,
    args: run.args,
    logFile: run.logFile,
    ...(run.env === undefined ? {} : { env: run.env }),
    onLine: (line) => {
      lines.push(line);
      run.onLine?.(line);
    },
  });
  const { code, signal } = await child.ended;
  if (code === 0) return lines;
  const output = [lastLines(lines.join('\n'), LIMITS.tailLines), await child.tail()]
    .filter((text) => text !== '')
    .join('\n');
  throw new FedloopError(
    'ServerUnavailable',
    `${run.name} failed with ${signal ?? `exit code ${code ?? 'unknown'}`}`,
    {
      cause: new Error(output),
    },
  );
}
