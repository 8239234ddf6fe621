import eslint from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', 'coverage/', 'runs/', '.fedloop/'] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      // Numbers in messages are the rule in a system that measures; everything else must be turned into text on purpose.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Shapes of rows are named with `type` where they are inferred from a schema, with `interface` elsewhere.
      '@typescript-eslint/consistent-type-definitions': 'off',
      'no-console': 'error',
    },
  },
  {
    // A function that fits a screen, a file that does one thing. A specification in test/ is as long as what it specifies.
    files: ['{core,fleet,activities,workflows,workers,cli,dashboards,bench}/**/*.ts'],
    rules: { 'max-lines-per-function': ['error', 70], 'max-lines': ['error', 300] },
  },
  {
    // A table: the statements of all migrations in order.
    files: ['core/warehouse/database/schema.ts'],
    rules: { 'max-lines': 'off' },
  },
  {
    // Workflow code is replayed: it may hold no clock, randomness, I/O or library that hides them.
    files: ['workflows/**/*.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['node:*', 'fs', 'path', 'crypto', 'kafkajs', '@duckdb/*', 'onnxruntime-node'],
              message: 'Not deterministic: move it to an activity.',
            },
            {
              group: ['@temporalio/*', '!@temporalio/workflow', '!@temporalio/common'],
              message: 'Workflows use @temporalio/workflow alone.',
            },
          ],
        },
      ],
      'no-restricted-globals': ['error', 'process', 'setImmediate', 'require'],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      // A skipped test says what would run it; an `only` is for the moment.
      'no-restricted-properties': [
        'error',
        ...['describe', 'it', 'test'].flatMap((object) =>
          ['skip', 'only', 'todo'].map((property) => ({
            object,
            property,
            message: 'Use describeWith of test/support/requirements.ts.',
          })),
        ),
      ],
    },
  },
  {
    files: ['test/support/requirements.ts'],
    rules: { 'no-restricted-properties': 'off' },
  },
  {
    // Small programs that Node runs as they are: configuration, entry points, the test runner.
    files: ['**/*.{js,cjs,mjs}'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      globals: Object.fromEntries(
        ['require', 'module', 'process', 'console', '__dirname', 'globalThis', 'setTimeout', 'Buffer'].map(
          (name) => [name, 'readonly'],
        ),
      ),
      parserOptions: { project: null },
    },
    rules: {
      ...tseslint.configs.disableTypeChecked.rules,
      '@typescript-eslint/no-require-imports': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      'no-console': 'off',
    },
  },
  prettier,
);
