import { userInfo } from 'node:os';
import { relative, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { FedloopError } from '../../core/contracts/errors';
import { versionIdSchema, type VersionId } from '../../core/contracts/ids';
import { type ChampionChange } from '../../core/contracts/live-checks';
import { changeChampion } from '../models/change';
import { diffOf } from '../models/diff';
import { exportModel } from '../models/export';
import { askFileOf, askVersion, askVersions, type VersionName } from '../models/questions';
import { detailsOf } from '../models/show';
import { withTables } from '../models/tables';
import { renderDetails, renderDiff, renderList } from '../models/text';
import { jsonOption, wholeNumber } from '../options';
import { findRunning } from '../running';
import { withSession, type Session } from '../session';

interface JsonOption {
  readonly json?: boolean;
}

interface ChangeOptions extends JsonOption {
  readonly reason: string;
  readonly by: string;
}

/** Versions that a list shows unless it is asked for more: a screen or two. */
const LISTED = 40;

const HELP = `
VERSION is v3, v3-responsive or "champion". list, show, diff and export ask the running system, else the latest run; promote
and rollback need a running one.

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
  registerQuestions(models);
  registerChanges(models);
}

function registerQuestions(models: Command): void {
  models
    .command('list')
    .description('Versions with their stage and real accuracy, oldest first.')
    .option('--limit <n>', 'at most so many of the latest versions', wholeNumber(1, 100_000), LISTED)
    .addOption(jsonOption())
    .action((options: JsonOption & { readonly limit: number }) =>
      withSession(async (session) => {
        const versions = await withTables(session, (ask) => askVersions(ask, options.limit));
        print(session, options, versions, renderList);
        if (versions.length === options.limit)
          session.progress.note(`The latest ${options.limit}; --limit shows more.`);
      }),
    );
  models
    .command('show')
    .description('Lineage, stages with their reasons, and what was done because of feedback.')
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .addOption(jsonOption())
    .action((name: VersionName, options: JsonOption) =>
      withSession(async (session) => {
        print(session, options, await withTables(session, (ask) => detailsOf(ask, name)), renderDetails);
      }),
    );
  models
    .command('diff')
    .description('What tells two versions apart: lineage, weights, and accuracy on the same device-windows.')
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .argument('<other>', 'what it is held against', versionName)
    .addOption(jsonOption())
    .action((one: VersionName, other: VersionName, options: JsonOption) =>
      withSession(async (session) => {
        print(session, options, await withTables(session, (ask) => diffOf(ask, one, other)), renderDiff);
      }),
    );
  models
    .command('export')
    .description('Write a version as an ONNX file that any ONNX runtime can run.')
    .argument('<version>', 'v3, v3-responsive or champion', versionName)
    .option('--out <file>', 'where to (fedloop-<version>.onnx)')
    .option('--force', 'replace a file that is there')
    .addOption(jsonOption())
    .action((name: VersionName, options: JsonOption & { readonly out?: string; readonly force?: boolean }) =>
      withSession(async (session) => {
        const file = await withTables(session, async (ask) =>
          askFileOf(ask, (await askVersion(ask, name)).version),
        );
        const target = options.out ?? `fedloop-${file.model.metadata.version}.onnx`;
        const exported = await exportModel(file, resolve(session.folder, target), {
          replace: options.force === true,
        });
        print(
          session,
          options,
          exported,
          ({ version, path, bytes }) =>
            `${version} is in ${relative(session.folder, path)} (${bytes.toLocaleString('en')} bytes)\n`,
        );
      }),
    );
}

function registerChanges(models: Command): void {
  withReason(models.command('promote'))
    .description('Make a version champion, whatever its past; the one that serves stays beside it in shadow.')
    .argument('<version>', 'v3 or v3-responsive', versionId)
    .action((version: VersionId, options: ChangeOptions) =>
      withSession(async (session) => {
        const { reason, by } = options;
        const done = await changeChampion(session, { action: 'promote', version, reason, by });
        print(session, options, done, renderChange);
      }),
    );
  withReason(models.command('rollback'))
    .description('Take the champion out of service; its predecessor serves again.')
    .argument('[version]', 'the champion that is to go (whoever serves)', versionId)
    .option('--to <version>', 'the version that is to serve instead (the predecessor)', versionId)
    .action((named: VersionId | undefined, options: ChangeOptions & { readonly to?: VersionId }) =>
      withSession(async (session) => {
        const { reason, by, to } = options;
        const version = named ?? (await servingHere(session));
        const done = await changeChampion(session, {
          action: 'rollback',
          version,
          reason,
          by,
          ...(to === undefined ? {} : { to }),
        });
        print(session, options, done, renderChange);
      }),
    );
}

function withReason(command: Command): Command {
  return command
    .requiredOption('--reason <text>', 'why; kept with the version', text(500))
    .addOption(
      new Option('--by <name>', 'who says so')
        .argParser(text(100))
        .default(userInfo().username, 'your user name'),
    )
    .addOption(jsonOption());
}

/** Nobody may serve by another name in the meantime: the version that is to go is named before the change is asked for. */
async function servingHere(session: Session): Promise<VersionId> {
  if ((await findRunning(session.folder)) === undefined)
    throw new FedloopError('InvalidInput', 'no system is running in this folder that could tell who serves', {
      hint: 'Name the version: fedloop models rollback v5 --reason "…".',
    });
  return (await withTables(session, (ask) => askVersion(ask, 'champion'))).version;
}

function renderChange({ champion, previous, changed, reason }: ChampionChange): string {
  return changed
    ? `${champion} serves now${previous === null ? '' : ` instead of ${previous}`}\n`
    : `nothing to do: ${reason}; ${champion} serves\n`;
}

function print<Result>(
  session: Session,
  { json }: JsonOption,
  result: Result,
  render: (result: Result) => string,
): void {
  session.out(json === true ? `${JSON.stringify(result, null, 2)}\n` : render(result));
}

function versionName(name: string): VersionName {
  return name === 'champion' ? name : versionId(name);
}

function versionId(name: string): VersionId {
  const parsed = versionIdSchema.safeParse(name);
  if (parsed.success) return parsed.data;
  throw new InvalidArgumentError('A version is named v0, v1, … or v3-steady, v3-responsive.');
}

function text(most: number): (value: string) => string {
  return (value) => {
    const trimmed = value.trim();
    if (trimmed.length >= 1 && trimmed.length <= most) return trimmed;
    throw new InvalidArgumentError(`It must have 1 to ${most} characters.`);
  };
}
