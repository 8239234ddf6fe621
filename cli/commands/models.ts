import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { versionIdSchema, type VersionId } from '../../core/contracts/ids';
import { type ChangeOptions, type ExportOptions, type ListOptions } from '../actions/models';
import { type VersionName } from '../models/repository';
import { jsonOption, wholeNumber } from '../shared/options';
import { withSession } from '../system/session';

interface JsonOption {
  readonly json?: boolean;
}

/** Versions that a list shows by default: a screen or two. */
const LISTED = 40;

const HELP = `
VERSION is v3, v3-responsive or "champion". list, show, diff and export query the running system, else the latest run;
promote and rollback need a running one.

Examples:
  $ fedloop models list
  $ fedloop models show champion
  $ fedloop models diff v5 v4
  $ fedloop models export champion --out model.onnx
  $ fedloop models rollback --reason "spikes since the firmware update"
  $ fedloop models promote v4 --reason "v5 was trained on bad data"
`;

/** `fedloop models`: the registry. */
export function registerModels(program: Command): void {
  const models = program
    .command('models')
    .summary('versions: list, show, diff, export, promote, rollback')
    .description('The registry: every version with its lineage, its stages and its file.')
    .addHelpText('after', HELP);
  registerQueries(models);
  registerChanges(models);
}

function registerQueries(models: Command): void {
  models
    .command('list')
    .description('Versions with their stage and real accuracy, oldest first.')
    .option('--limit <n>', 'at most so many of the latest versions', wholeNumber(1, 100_000), LISTED)
    .addOption(jsonOption())
    .action((options: ListOptions) =>
      withSession(async (session) => {
        const { list } = await import('../actions/models.js');
        await list(session, options);
      }),
    );
  models
    .command('show')
    .description('Lineage, stages with their reasons, and what was done because of feedback.')
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .addOption(jsonOption())
    .action((name: VersionName, options: JsonOption) =>
      withSession(async (session) => {
        const { show } = await import('../actions/models.js');
        await show(session, name, options);
      }),
    );
  models
    .command('diff')
    .description(
      'Differences between two versions: lineage, weights, and accuracy on the same device-windows.',
    )
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .argument('<other>', 'the version to compare it with', versionName)
    .addOption(jsonOption())
    .action((one: VersionName, other: VersionName, options: JsonOption) =>
      withSession(async (session) => {
        const { diff } = await import('../actions/models.js');
        await diff(session, one, other, options);
      }),
    );
  models
    .command('export')
    .description('Write a version as an ONNX file that any ONNX runtime can run.')
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .option('--out <file>', 'where to (fedloop-<version>.onnx)')
    .option('--force', 'replace a file that is there')
    .addOption(jsonOption())
    .action((name: VersionName, options: ExportOptions) =>
      withSession(async (session) => {
        const { exportVersion } = await import('../actions/models.js');
        await exportVersion(session, name, options);
      }),
    );
}

function registerChanges(models: Command): void {
  withReason(models.command('promote'))
    .description(
      'Make a version champion, whatever its past; the current champion stays beside it as shadow.',
    )
    .argument('<version>', 'v3 or v3-responsive', versionId)
    .action((version: VersionId, options: ChangeOptions) =>
      withSession(async (session) => {
        const { promote } = await import('../actions/models.js');
        await promote(session, version, options);
      }),
    );
  withReason(models.command('rollback'))
    .description('Take the champion out of service; its predecessor serves again.')
    .argument('[version]', 'the champion to roll back (the current one)', versionId)
    .option('--to <version>', 'the version to serve instead (the predecessor)', versionId)
    .action((named: VersionId | undefined, options: ChangeOptions & { readonly to?: VersionId }) =>
      withSession(async (session) => {
        const { rollback } = await import('../actions/models.js');
        await rollback(session, named, options);
      }),
    );
}

function withReason(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why; kept with the version', text(500))
    .addOption(
      new Option('--by <name>', 'who decides it')
        .argParser(text(100))
        .default(userInfo().username, 'your user name'),
    )
    .addOption(jsonOption());
}

function versionName(name: string): VersionName {
  return name === 'champion' ? name : versionId(name);
}

function versionId(name: string): VersionId {
  const parsed = versionIdSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError('A version is named v0, v1, … or v3-steady, v3-responsive, v3-linear.');
}

function text(most: number): (value: string) => string {
  return (value) => {
    const trimmed = value.trim();
    if (trimmed.length >= 1 && trimmed.length <= most) return trimmed;
    throw new InvalidArgumentError(`It must have 1 to ${most} characters.`);
  };
}
