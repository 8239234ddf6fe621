import { relative, resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { type VersionId } from '../../core/contracts/ids';
import { type ChampionChange } from '../../core/contracts/live-checks';
import { changeChampion } from '../models/change';
import { diffOf } from '../models/diff';
import { exportModel } from '../models/export';
import { queryModelFile, queryVersion, queryVersions, type VersionName } from '../models/repository';
import { detailsOf } from '../models/show';
import { withTables } from '../models/tables';
import { renderDetails, renderDiff, renderList } from '../models/text';
import { findRunning } from '../system/running';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';

interface JsonOption {
  readonly json?: boolean;
}

export interface ListOptions extends JsonOption {
  readonly limit: number;
}

export interface ExportOptions extends JsonOption {
  readonly out?: string;
  readonly force?: boolean;
}

export interface ChangeOptions extends JsonOption {
  readonly reason: string;
  readonly by: string;
}

/** `fedloop models list` */
export async function list(session: Session, options: ListOptions): Promise<void> {
  const versions = await withTables(session, (query) => queryVersions(query, options.limit));
  print(session, options, versions, renderList);
  if (versions.length === options.limit)
    session.progress.note(`The latest ${options.limit}; --limit shows more.`);
}

/** `fedloop models show` */
export async function show(session: Session, name: VersionName, options: JsonOption): Promise<void> {
  print(session, options, await withTables(session, (query) => detailsOf(query, name)), renderDetails);
}

/** `fedloop models diff` */
export async function diff(
  session: Session,
  one: VersionName,
  other: VersionName,
  options: JsonOption,
): Promise<void> {
  print(session, options, await withTables(session, (query) => diffOf(query, one, other)), renderDiff);
}

/** `fedloop models export` */
export async function exportVersion(
  session: Session,
  name: VersionName,
  options: ExportOptions,
): Promise<void> {
  const file = await withTables(session, async (query) =>
    queryModelFile(query, (await queryVersion(query, name)).version),
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
}

/** `fedloop models promote` */
export async function promote(session: Session, version: VersionId, options: ChangeOptions): Promise<void> {
  const { reason, by } = options;
  const change = changeChampion(session, { action: 'promote', version, reason, by });
  print(session, options, await unlessAborted(change, session.signal), renderChange);
}

/** `fedloop models rollback` */
export async function rollback(
  session: Session,
  named: VersionId | undefined,
  options: ChangeOptions & { readonly to?: VersionId },
): Promise<void> {
  const { reason, by, to } = options;
  const version = named ?? (await servingHere(session));
  const change = changeChampion(session, {
    action: 'rollback',
    version,
    reason,
    by,
    ...(to === undefined ? {} : { to }),
  });
  print(session, options, await unlessAborted(change, session.signal), renderChange);
}

/**
 * The champion by its name. The change names the version to replace, so that it has no effect on another one that became champion
 * in between.
 */
async function servingHere(session: Session): Promise<VersionId> {
  if ((await findRunning(session.folder)) === undefined)
    throw new FedloopError(
      'InvalidInput',
      'no system is running in this folder, so the champion is unknown',
      {
        hint: 'Name the version: fedloop models rollback v5 --reason "…".',
      },
    );
  return (await withTables(session, (query) => queryVersion(query, 'champion'))).version;
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
