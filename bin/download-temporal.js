'use strict';
/**
 * Let Temporal's SDK download its command into a folder. The SDK downloads only when it starts a server, so this starts and stops
 * one. A separate process, because the SDK's download cannot be aborted.
 */
const folder = process.argv[2];

async function main() {
  // A development dependency: an installation without it obtains the server in another way.
  const { TestWorkflowEnvironment } = require('@temporalio/testing');
  const environment = await TestWorkflowEnvironment.createLocal({
    server: { executable: { type: 'cached-download', downloadDir: folder } },
  });
  await environment.teardown();
}

main().then(
  () => process.exit(0),
  (cause) => {
    process.stderr.write(`error: ${cause.message}\n`);
    process.exit(1);
  },
);
