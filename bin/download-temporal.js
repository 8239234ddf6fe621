'use strict';
/**
 * Let Temporal's SDK download its command into a folder. The SDK only does that on the way to starting a server, so one is
 * started and stopped. A process of its own, because such a download cannot be called off from inside.
 */
const folder = process.argv[2];

async function main() {
  // Part of the development dependencies: an installation without them goes on to the next way of obtaining the server.
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
