import { WorkflowNotFoundError, WorkflowUpdateFailedError, type WorkflowHandle } from '@temporalio/client';
import { type SettingsAnswer, type SettingsInForce } from '../../core/contracts/control';
import { FedloopError, messageOf } from '../../core/contracts/errors';
import { mergePatch } from '../../core/contracts/patch';
import { type FleetNames } from '../../core/contracts/queues';
import { deploymentEnvironment } from '../system/deployment';
import { inputOf, type InputOptions } from '../system/presets';
import { type Session } from '../system/session';
import { withTemporal } from '../servers/temporal-client';
import { unlessAborted } from '../shared/wait';

/** Workflows whose settings may be changed while they run. */
export type Changeable = 'evaluation' | 'round' | 'training';

export interface ShowOptions {
  readonly workflowId?: string;
  readonly json?: boolean;
}

export interface ChangeOptions extends ShowOptions, InputOptions {
  readonly by?: string;
  readonly reason?: string;
  readonly dryRun?: boolean;
}

/** `fedloop settings show`: what is in force, and who changed what. */
export async function showSettings(session: Session, which: Changeable, options: ShowOptions): Promise<void> {
  const { settings, changes } = await withWorkflow(session, which, options, (handle) =>
    handle.query<SettingsInForce>('settings'),
  );
  if (options.json === true) {
    session.out(`${JSON.stringify({ settings, changes }, null, 2)}\n`);
    return;
  }
  const lines = changes.map(
    ({ at, by, reason, before, after }) =>
      // Quoted: a text of somebody's must not look like a change of somebody else's.
      `${at} by ${by === null ? 'somebody' : JSON.stringify(by)}: ${changeText({ before, after })}${reason === null ? '' : `, because ${JSON.stringify(reason)}`}`,
  );
  session.out(
    `${JSON.stringify(settings, null, 2)}\n${lines.length > 0 ? `changed:\n  ${lines.join('\n  ')}\n` : ''}`,
  );
}

/**
 * `fedloop settings change`: change what is named, and nothing else.
 * @throws FedloopError `InvalidInput` with what is wrong, when the settings would not be valid.
 */
export async function changeSettings(
  session: Session,
  which: Changeable,
  options: ChangeOptions,
): Promise<void> {
  const { by, reason, dryRun = false, json } = options;
  const patch = await patchOf(session, which, options);
  const answer = await withWorkflow(session, which, options, (handle) =>
    handle.executeUpdate<SettingsAnswer, [object]>('changeSettings', {
      args: [{ ...patch, by, reason, dryRun }],
    }),
  );
  if (json === true) {
    session.out(`${JSON.stringify({ ...answer, dryRun }, null, 2)}\n`);
    return;
  }
  const difference = changeText(answer);
  if (difference === '') session.out('the settings are so already\n');
  else session.out(`${dryRun ? 'would change' : 'changed'}: ${difference}\n`);
}

/** A preset is a round's input, which the others have under `round`. */
async function patchOf(
  session: Session,
  which: Changeable,
  { input, preset }: InputOptions,
): Promise<object> {
  const chosen = preset === undefined ? undefined : await inputOf(session, { preset });
  const base = chosen === undefined || which === 'round' ? (chosen ?? {}) : { round: chosen };
  const patch = mergePatch(base, input ?? {});
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw new FedloopError('InvalidInput', 'the change must be a JSON object, such as {"windows": 12}');
  return patch;
}

function changeText({ before, after }: Pick<SettingsAnswer, 'before' | 'after'>): string {
  const was = new Map(Object.entries(before));
  return Object.entries(after)
    .map(([name, is]) => `${name} ${JSON.stringify(was.get(name) ?? null)} → ${JSON.stringify(is)}`)
    .join(', ');
}

async function withWorkflow<Result>(
  session: Session,
  which: Changeable,
  { workflowId }: ShowOptions,
  work: (handle: WorkflowHandle) => Promise<Result>,
): Promise<Result> {
  const env = await deploymentEnvironment(session);
  const asked = withTemporal(env, async (client, names) => {
    const id = workflowId ?? idOf(names, which);
    try {
      return await work(client.workflow.getHandle(id));
    } catch (thrown) {
      if (thrown instanceof WorkflowNotFoundError)
        throw new FedloopError('NotFound', `no workflow ${id} is running`, {
          hint: 'Name another with --workflow-id; Temporal’s UI lists them.',
          cause: thrown,
        });
      if (!(thrown instanceof WorkflowUpdateFailedError)) throw thrown;
      throw new FedloopError('InvalidInput', messageOf(thrown.cause ?? thrown), { cause: thrown });
    }
  });
  return unlessAborted(asked, session.signal);
}

function idOf({ evaluationId, roundId, trainingId }: FleetNames, which: Changeable): string {
  return { evaluation: evaluationId, round: roundId, training: trainingId }[which];
}
