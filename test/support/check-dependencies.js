#!/usr/bin/env node
/**
 * What Fedloop runs with: are its licences ones that may be passed on with it, and does the registry know of holes in it? Development tools are
 * not passed on and do not count. `npm run check:dependencies`
 */
const { execFileSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const ROOT = join(__dirname, '..', '..');

/** Permissive licences that Apache-2.0 goes with. Another one is for a person to read before it is added. */
const ALLOWED = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'CC0-1.0',
  'CC-BY-4.0',
  'ISC',
  'MIT',
  'Unlicense',
]);

/** Packages whose licence stands in a file alone; a person has read it. */
const READ = { 'node_modules/unionfs': 'Unlicense' };

/** A registry that is reached answers within seconds. */
const AUDIT_TIMEOUT_MS = 20_000;
/** Findings that fail the check. */
const FATAL = ['high', 'critical'];

/** Whether an SPDX expression of names, AND, OR and parentheses around the whole lets us pass the package on. */
function isAllowed(expression) {
  if (typeof expression !== 'string') return false;
  const plain = expression.replace(/^\((.*)\)$/, '$1');
  return plain.split(' OR ').some((part) => part.split(' AND ').every((name) => ALLOWED.has(name.trim())));
}

/** Packages of a lock file that are run with and may not be passed on. `licenseOf` is asked where the lock file has none. */
function forbidden(lock, licenseOf) {
  return Object.entries(lock.packages)
    .filter(([path, entry]) => path !== '' && entry.dev !== true)
    .map(([path, entry]) => ({ path, license: entry.license ?? licenseOf(path) }))
    .filter(({ license }) => !isAllowed(license));
}

/** What an answer of `npm audit --json` means: `{ findings }`, or `{ unreachable }` with why there is none. */
function readAudit(text) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    return { unreachable: 'npm audit gave no JSON' };
  }
  const counts = answer.metadata?.vulnerabilities;
  if (counts === undefined)
    return { unreachable: answer.error?.summary || answer.message || 'npm audit gave no counts' };
  const names = Object.entries(answer.vulnerabilities ?? {})
    .filter(([, { severity }]) => FATAL.includes(severity))
    .map(([name, { severity }]) => `${name} (${severity})`);
  return { findings: names };
}

function installedLicense(path) {
  if (Object.hasOwn(READ, path)) return READ[path];
  const file = join(ROOT, path, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).license : undefined;
}

function audit() {
  const args = ['audit', '--omit=dev', '--json', '--fetch-retries=0'];
  try {
    const options = {
      cwd: ROOT,
      encoding: 'utf8',
      timeout: AUDIT_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    };
    return readAudit(execFileSync('npm', args, options));
  } catch (failure) {
    // It ends with 1 when it has found something, and when it could not ask.
    return readAudit(failure.stdout ?? '');
  }
}

function main() {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const bad = forbidden(lock, installedLicense);
  for (const { path, license } of bad)
    console.error(
      `${path} has the licence ${license ?? 'none'}, which is not in the list of check-dependencies.js`,
    );
  if (bad.length === 0) console.log('Licences: all of what Fedloop runs with may be passed on with it.');

  const { findings, unreachable } = audit();
  if (unreachable !== undefined)
    console.warn(
      `NOT CHECKED: known vulnerabilities, for the registry could not be asked (${unreachable.trim().split(/\n| - /)[0]}).`,
    );
  else if (findings.length === 0) console.log('Vulnerabilities: none that is known is high or critical.');
  else console.error(`Known vulnerabilities: ${findings.join(', ')}. Run \`npm audit --omit=dev\`.`);
  process.exitCode = bad.length > 0 || (findings?.length ?? 0) > 0 ? 1 : 0;
}

module.exports = { forbidden, isAllowed, readAudit };
if (require.main === module) main();
