import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Where the build leaves the workflows, ready to load: workers start without a bundler. */
export const WORKFLOW_BUNDLE = join(__dirname, '..', 'workflow-bundle.js');

/** Build step: everything in `workflows/` as one file. */
async function buildBundle(): Promise<void> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: join(__dirname, '..', 'workflows', 'index.js'),
    workflowInterceptorModules: [join(__dirname, '..', 'workflows', 'pass-trace.js')],
    // Evaluated once for all runs rather than at the start of each; it holds nothing that belongs to a run.
    preloadModules: ['zod'],
    logger: new DefaultLogger('WARN', ({ message }) => process.stderr.write(`${message}\n`)),
  });
  mkdirSync(join(__dirname, '..'), { recursive: true });
  writeFileSync(WORKFLOW_BUNDLE, code);
}

if (require.main === module) {
  buildBundle().catch((thrown: unknown) => {
    process.stderr.write(`the workflows could not be bundled: ${String(thrown)}\n`);
    process.exitCode = 1;
  });
}
