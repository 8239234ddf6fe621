import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import {
  deploymentFileSchema,
  planDeployment,
  type DeploymentFile,
  type DeploymentPlan,
} from '../contracts/deployment-file';
import { FedloopError, messageOf } from '../contracts/errors';
import { parseOrThrow } from '../contracts/validation';

/**
 * Read a deployment file (YAML or JSON).
 * @throws FedloopError `InvalidConfig` when it cannot be read, is no YAML, or says what a deployment file does not know.
 */
export async function readDeploymentFile(path: string): Promise<DeploymentPlan> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FedloopError(
      'InvalidConfig',
      `the deployment file ${path} cannot be read: ${messageOf(cause)}`,
      {
        hint: 'Make one with `fedloop init`, or name another with --config or FEDLOOP_CONFIG.',
        cause,
      },
    );
  }
  return planDeployment(parseDeploymentFile(text, path));
}

/**
 * @param name of the file, for messages.
 * @throws FedloopError `InvalidConfig`
 */
export function parseDeploymentFile(text: string, name: string): DeploymentFile {
  const document = parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [firstLine = ''] = problem.message.split('\n');
    throw new FedloopError('InvalidConfig', `${name} is no YAML: ${firstLine.replace(/:$/, '')}`);
  }
  // An empty file is a deployment of defaults.
  return parseOrThrow(deploymentFileSchema, document.toJS() ?? {}, name, 'InvalidConfig');
}
