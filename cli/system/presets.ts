import { FedloopError } from '../../core/contracts/errors';
import { mergePatch } from '../../core/contracts/patch';
import { DEPLOYMENT_FILE, deployedIn } from './deployment-file';
import { type Session } from './session';

/** A round's input as a command is given it: JSON, the name of a preset, or both; the JSON then changes the preset. */
export interface InputOptions {
  readonly input?: unknown;
  readonly preset?: string;
}

/**
 * @returns undefined where neither was given.
 * @throws FedloopError `NotFound` when the deployment file has no such preset, and as `deployedIn`.
 */
export async function inputOf(
  session: Pick<Session, 'env' | 'folder'>,
  { input, preset }: InputOptions,
): Promise<unknown> {
  if (preset === undefined) return input;
  const { plan } = await deployedIn(session);
  const presets = new Map(Object.entries(plan?.presets ?? {}));
  const found = presets.get(preset);
  if (found !== undefined) return input === undefined ? found : mergePatch(found, input);
  const hint =
    presets.size > 0
      ? `It has ${[...presets.keys()].join(', ')}.`
      : `Name some under "presets" in ${DEPLOYMENT_FILE}, such as quick: {windows: 3}.`;
  throw new FedloopError('NotFound', `the deployment file has no preset "${preset}"`, { hint });
}
