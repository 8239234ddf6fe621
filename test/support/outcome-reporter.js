'use strict';
const { writeFileSync } = require('node:fs');
const { relative } = require('node:path');

/** How `describeWith` of requirements.ts marks a skipped group. */
const MARK = / \[needs: (.+)\]$/;

/**
 * A jest reporter that closes a run with the groups of tests that were skipped, each with what would run it. Where
 * FEDLOOP_TEST_OUTCOME names a file, the outcome goes there as JSON instead, for `run-tests.js`, which adds up several runs:
 * `{passed, failed, failures: [name], skipped: [{group, tests, needs}]}`.
 */
class OutcomeReporter {
  onRunComplete(_contexts, results) {
    const outcome = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + results.numRuntimeErrorTestSuites,
      failures: failedNames(results.testResults),
      skipped: skippedGroups(results.testResults),
    };
    const file = process.env.FEDLOOP_TEST_OUTCOME;
    if (file !== undefined) writeFileSync(file, JSON.stringify(outcome));
    else process.stderr.write(describeSkipped(outcome.skipped));
  }
}

/** What failed, as "file › test", or the file alone where it could not be run. */
function failedNames(files) {
  return files.flatMap(({ testFilePath, testResults, testExecError }) => {
    const file = relative(process.cwd(), testFilePath);
    if (testExecError) return [file];
    return testResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName }) => `${file} › ${fullName}`);
  });
}

/** Tests that were not run, by the outermost group that was skipped with them. */
function skippedGroups(files) {
  const groups = new Map();
  const tests = files.flatMap(({ testResults }) => testResults);
  for (const { status, ancestorTitles, title } of tests) {
    if (status === 'passed' || status === 'failed') continue;
    const marked = ancestorTitles.find((name) => MARK.test(name));
    const name = marked ?? ancestorTitles[0] ?? title;
    const group = groups.get(name) ?? {
      group: name.replace(MARK, ''),
      tests: 0,
      needs: MARK.exec(name)?.[1] ?? 'to be chosen: by a name pattern, or by taking `.only` away',
    };
    group.tests += 1;
    groups.set(name, group);
  }
  return [...groups.values()];
}

/** Lines for a person; empty when nothing was skipped. */
function describeSkipped(groups) {
  if (groups.length === 0) return '';
  const total = groups.reduce((sum, { tests }) => sum + tests, 0);
  const lines = groups.map(({ group, tests, needs }) => `  ${tests} of "${group}" need: ${needs}\n`);
  return `${total} skipped:\n${lines.join('')}`;
}

module.exports = OutcomeReporter;
module.exports.describeSkipped = describeSkipped;
