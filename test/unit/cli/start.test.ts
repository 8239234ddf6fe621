import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { packageFile } from '../../../cli/shared/package-root';

/** Which of our dependencies a process has loaded that knows every command and has been asked for none. */
function loadedAtTheStart(): readonly string[] {
  const { dependencies } = JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const script = `require(${JSON.stringify(packageFile('dist', 'cli', 'main.js'))}).createProgram();
    process.stdout.write(JSON.stringify(Object.keys(require.cache)));`;
  const files = JSON.parse(
    execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }),
  ) as readonly string[];
  return Object.keys(dependencies)
    .filter((name) => files.some((file) => file.includes(`/node_modules/${name}/`)))
    .sort();
}

it('the command is there at once: a client, a database or a charting library is loaded by the command that needs it', () => {
  expect(loadedAtTheStart()).toEqual([
    'cli-progress',
    'commander',
    'fastest-levenshtein',
    'picocolors',
    // By cli-progress.
    'string-width',
    'zod',
  ]);
});
