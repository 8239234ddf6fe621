import { type Connection } from '@temporalio/client';
import { FedloopError } from '../core/contracts/errors';
import { hasGrpcStatus } from './grpc-status';

/**
 * Check that a server has a namespace. Where it has not, the connection is closed.
 * @throws FedloopError `InvalidConfig`
 */
export async function requireNamespace(
  connection: Pick<Connection, 'close'> & {
    readonly workflowService: Pick<Connection['workflowService'], 'describeNamespace'>;
  },
  namespace: string,
  address: string,
): Promise<void> {
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (cause) {
    // A key that may not look at the namespace may still work in it: any other answer passes.
    if (!hasGrpcStatus(cause, 'notFound')) return;
    await connection.close();
    throw new FedloopError(
      'InvalidConfig',
      `the Temporal server at ${address} has no namespace ${namespace}`,
      { hint: 'Check TEMPORAL_NAMESPACE, or create it: temporal operator namespace create.', cause },
    );
  }
}
