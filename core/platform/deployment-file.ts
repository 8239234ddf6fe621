import { readFile } from 'node:fs/promises';
import type * as Yaml from 'yaml';
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
  // Loading the library takes 40 ms of a core, and most workers have no file.
  return planDeployment(parseDeploymentFile(text, path, await import('yaml')));
}

/**
 * @param name of the file, for messages.
 * @param yaml the library, which whoever has a file loads.
 * @throws FedloopError `InvalidConfig`
 */
export function parseDeploymentFile(
  text: string,
  name: string,
  yaml: Pick<typeof Yaml, 'parseDocument'>,
): DeploymentFile {
  const document = yaml.parseDocument(text, { prettyErrors: true });
  const [problem] = document.errors;
  if (problem?.code === 'MULTIPLE_DOCS')
    throw new FedloopError(
      'InvalidConfig',
      `${name} has several documents: leave the one that describes the fleet`,
    );
  if (problem !== undefined) {
    const [firstLine = ''] = problem.message.split('\n');
    throw new FedloopError('InvalidConfig', `${name} is no YAML: ${firstLine.replace(/:$/, '')}`);
  }
  let content: unknown;
  try {
    content = document.toJS();
  } catch (cause) {
    const message = `${name} has aliases that cannot be followed: write out what they stand for`;
    throw new FedloopError('InvalidConfig', message, { cause });
  }
  // An empty file is a deployment of defaults.
  return parseOrThrow(deploymentFileSchema, content ?? {}, name, 'InvalidConfig');
}

/** A process's variables, with those that follow from its deployment file. */
export interface Deployed {
  readonly env: NodeJS.ProcessEnv;
  /** Undefined without a file: the process obeys what its deployment has logged. */
  readonly plan: DeploymentPlan | undefined;
}

/**
 * Read the deployment file that `FEDLOOP_CONFIG` names, where it does.
 * @throws FedloopError `InvalidConfig` as `readDeploymentFile`, and when `FEDLOOP_FLEET` names another fleet than the file.
 */
export async function deployedBy(env: NodeJS.ProcessEnv): Promise<Deployed> {
  const path = env['FEDLOOP_CONFIG'] ?? '';
  if (path === '') return { env, plan: undefined };
  const plan = await readDeploymentFile(path);
  const named = env['FEDLOOP_FLEET'] ?? '';
  if (named !== '' && named !== plan.fleet)
    throw new FedloopError(
      'InvalidConfig',
      `FEDLOOP_FLEET names the fleet ${named}, but ${path} describes the fleet ${plan.fleet}: leave one of them out`,
    );
  return { env: { ...env, FEDLOOP_FLEET: plan.fleet }, plan };
}
