import { lstat, open, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Lineage } from '../../core/contracts/deployments';
import { messageOf } from '../../core/contracts/errors';
import { type VersionId } from '../../core/contracts/ids';
import { machineSentence } from '../../core/contracts/machine-trouble';
import { type DeployedVersion, type Deployments } from '../../core/model/deployments';
import { encodeModel, sha256Of } from '../../core/model/model-file';
import { type GlobalModel } from '../../core/model/types';
import { inTurn } from '../../core/platform/in-turn';
import { type Logger } from '../../core/platform/log';
import { makeFolder } from '../../core/platform/make-folder';
import { type FeedbackLog } from './feedback-log';

/** Folder under the models folder that always has the champion. */
const LATEST = 'latest_model';
const MODEL_FILE = 'model.onnx';

/** A disk with space again, and files that somebody has removed, are noticed within so long. */
const LOOK_MS = 10_000;

/** What the champion was measured to be, by whoever has just made it champion. */
interface Measured {
  readonly version: VersionId;
  readonly accuracy: number | null;
}

interface LatestModelOptions {
  /** Folder that `latest_model/` is kept in. */
  readonly folder: string;
  readonly deployments: Pick<Deployments, 'champion' | 'sync'>;
  readonly feedback: Pick<FeedbackLog, 'latest'>;
  readonly log: Logger;
}

/**
 * Keeps the champion in `<folder>/latest_model/` (`model.onnx`, `metadata.json`) for any program that just wants it. The log decides who serves, and
 * the files follow it: where they cannot be written, no decision waits for them.
 */
export class LatestModel {
  private readonly turn = inTurn();
  private look: NodeJS.Timeout | undefined;
  private missed: string | undefined;

  constructor(private readonly options: LatestModelOptions) {}

  /** Look from now on, again and again, whether the files are those of the version that serves. */
  keep(everyMillis = LOOK_MS): this {
    void this.mend();
    this.look = setInterval(() => void this.mend(), everyMillis).unref();
    return this;
  }

  /** Look no more; resolves once what was begun is written. */
  close(): Promise<void> {
    clearInterval(this.look);
    return this.turn(() => Promise.resolve());
  }

  /** Why the files are not the champion's, and what to do; undefined while they are. */
  get trouble(): string | undefined {
    return this.missed;
  }

  /** Write the files of the version that serves. What keeps them from being written is `trouble`, and is tried again; nothing is thrown. */
  publish(measured?: Measured): Promise<void> {
    return this.turn(() => this.follow(() => Promise.resolve(false), measured));
  }

  /** The same, of files that are missing, damaged or another version's. */
  private mend(): Promise<void> {
    return this.turn(() => this.follow((champion) => isPublished(this.options.folder, champion)));
  }

  private async follow(
    isDone: (champion: DeployedVersion) => Promise<boolean>,
    measured?: Measured,
  ): Promise<void> {
    let champion = await this.serving();
    try {
      while (champion !== undefined) {
        if (!(await isDone(champion))) await this.write(champion, measured);
        // Another worker may make another one champion meanwhile.
        const now = await this.serving();
        if (now === undefined || now.version === champion.version) break;
        champion = now;
      }
      this.missed = undefined;
    } catch (cause) {
      this.note(cause);
    }
  }

  /** As the log has it by now, or as it had it last where its broker is away, which others tell. */
  private async serving(): Promise<DeployedVersion | undefined> {
    const { deployments } = this.options;
    await deployments.sync().catch(() => undefined);
    return deployments.champion();
  }

  private async write({ version, model, message }: DeployedVersion, measured?: Measured): Promise<void> {
    const { folder, feedback } = this.options;
    const accuracy =
      measured?.version === version
        ? measured.accuracy
        : ((await feedback.latest(version))?.accuracy ?? null);
    await writeLatestModel(folder, model, message.lineage, accuracy);
  }

  private note(cause: unknown): void {
    const { folder, log } = this.options;
    const said = machineSentence(cause, folder);
    const why = said === undefined ? `${messageOf(cause)}.` : `${said.message}. ${said.hint}`;
    const missed = `the champion's files in ${join(folder, LATEST)} are not up to date: ${why}`;
    if (missed !== this.missed) log.warn(`${missed} They are written as soon as that is over.`);
    this.missed = missed;
  }
}

/** Whether the link leads to the version, and its model is whole. */
async function isPublished(folder: string, { version, model }: DeployedVersion): Promise<boolean> {
  const [link, bytes] = await Promise.all([
    readlink(join(folder, LATEST)).catch(() => ''),
    readFile(join(folder, LATEST, MODEL_FILE)).catch(() => Buffer.alloc(0)),
  ]);
  return link === placeOf(version) && sha256Of(bytes) === sha256Of(encodeModel(model));
}

function placeOf(version: VersionId): string {
  return join('versions', version);
}

/** The folder is a link that is swapped in one step, so a reader sees the old pair or the new one, never half of each. */
async function writeLatestModel(
  folder: string,
  model: GlobalModel,
  lineage: Lineage,
  realAccuracy: number | null,
): Promise<void> {
  const { version } = model.metadata;
  const own = join(folder, placeOf(version));
  await makeFolder(own);
  const bytes = encodeModel(model);
  await replaceFile(join(own, MODEL_FILE), bytes);
  const metadata = {
    version,
    real_accuracy: realAccuracy,
    sha256: sha256Of(bytes),
    ...describe(model),
    lineage,
  };
  await replaceFile(join(own, 'metadata.json'), `${JSON.stringify(metadata, null, 2)}\n`);

  const next = join(folder, `.${LATEST}-${process.pid}`);
  await rm(next, { force: true });
  await symlink(placeOf(version), next);
  const latest = join(folder, LATEST);
  await moveFolderAside(latest);
  await rename(next, latest);
}

/** A restore may have made a folder of the link, which a link cannot replace. What it holds is not ours to delete. */
async function moveFolderAside(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.isDirectory() === true) await rename(path, `${path}.before-${Date.now()}`);
}

/** A version that serves again has its files there already, and a program may be reading them. They outlast a power cut. */
async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}

function describe(model: GlobalModel): Readonly<Record<string, unknown>> {
  const { shape, tolerance, residualStddev } = model.metadata;
  return { shape, tolerance, residual_stddev: residualStddev };
}
