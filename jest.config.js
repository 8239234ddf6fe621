/**
 * Three projects: `unit`, which needs no server; `integration`, on servers that all of its files share; and `system`, whose files bring up servers of their
 * own and so can run beside the others. `--selectProjects unit` runs one alone.
 */
const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    {
      jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
      module: { type: 'commonjs' },
      sourceMaps: 'inline',
    },
  ],
};

const common = {
  rootDir: __dirname,
  transform,
  // onnxruntime refuses typed arrays of jest's sandbox; this environment hands the real globals in.
  testEnvironment: '<rootDir>/test/support/environment.js',
};

const WITH_OWN_SERVERS = [
  'integration/controls',
  'integration/loop',
  'integration/secured-servers',
  'integration/upgrades',
  'faults/command-killed',
  'faults/network',
  'faults/poison',
  'faults/random-faults',
  'faults/rolling-restart',
  'faults/round-crashes',
  'faults/signed',
  'faults/up-and-down',
].map((name) => `<rootDir>/test/${name}.test.ts`);

module.exports = {
  reporters: ['default', '<rootDir>/test/support/outcome-reporter.js'],
  projects: [
    { ...common, displayName: 'unit', testMatch: ['<rootDir>/test/{unit,replay}/**/*.test.ts'] },
    { ...common, displayName: 'system', testMatch: WITH_OWN_SERVERS },
    {
      ...common,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/{integration,faults}/**/*.test.ts'],
      testPathIgnorePatterns: WITH_OWN_SERVERS,
      globalSetup: '<rootDir>/test/support/start-servers.ts',
      globalTeardown: '<rootDir>/test/support/stop-servers.ts',
    },
  ],
};
