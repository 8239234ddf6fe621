import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { FedloopError } from '../../core/contracts/errors';
import { durationSchema } from '../../core/contracts/settings';
import { MICROS_PER_SECOND } from '../../core/contracts/time';
import { microsOfText } from '../../core/contracts/timestamps';
import { parseOrThrow } from '../../core/contracts/validation';
import { dashboardFileSchema, type DashboardFile } from '../dashboard/dashboard-file';
import { renderPage } from '../dashboard/page';
import { drawDashboard } from '../dashboard/preview';
import { connectPrometheus } from '../dashboard/prometheus';
import { LIMITS } from '../shared/limits';
import { packageRoot } from '../shared/package-root';
import { endOf } from '../progress';
import { findRunning } from '../system/running';
import { type Session } from '../system/session';
import { unlessAborted } from '../shared/wait';

export interface PreviewOptions {
  readonly prometheus?: string;
  readonly last?: string;
  readonly out: string;
  readonly json?: boolean;
}

const SHIPPED = [
  'fleet-and-accuracy',
  'round-by-round',
  'stream-health',
  'batch-and-warehouse',
  'workers-and-temporal',
];

/** Draw dashboards from a Prometheus into one HTML page. */
export async function previewDashboards(
  session: Session,
  names: readonly string[],
  options: PreviewOptions,
): Promise<void> {
  const running = await findRunning(session.folder);
  const url = options.prometheus ?? running?.prometheusUrl;
  if (url == null)
    throw new FedloopError('ServerUnavailable', 'there is no Prometheus to ask', {
      hint: 'Name one with --prometheus http://…, or start a system in this folder: fedloop demo --stay.',
    });
  const to = Math.floor(Date.now() / 1_000);
  const span =
    options.last !== undefined
      ? parseOrThrow(durationSchema, options.last, '--last') / 1_000
      : running !== undefined && options.prometheus === undefined
        ? to - Math.floor(microsOfText(running.startedAt) / MICROS_PER_SECOND)
        : LIMITS.previewSeconds;
  const range = { from: to - span, to, step: Math.max(1, Math.ceil(span / LIMITS.previewPoints)) };
  const files = await Promise.all(
    (names.length > 0 ? names.map((name) => resolve(session.folder, name)) : await shippedFiles()).map(
      readDashboard,
    ),
  );
  const prometheus = connectPrometheus(url);
  const step = session.progress.step(`Asking ${url}`);
  const drawn = [];
  try {
    for (const file of files)
      drawn.push(await unlessAborted(drawDashboard(file, prometheus, range), session.signal));
    step.done();
  } catch (cause) {
    step.fail(endOf(cause));
    throw cause;
  }
  const out = resolve(session.folder, options.out);
  const time = (seconds: number): string => new Date(seconds * 1_000).toISOString();
  await writeFile(
    out,
    renderPage(
      drawn,
      `Drawn by fedloop dashboard preview from ${url}, ${time(range.from)} to ${time(range.to)}.`,
    ),
  );
  session.out(
    options.json === true ? `${JSON.stringify({ page: out, prometheus: url, ...range })}\n` : `${out}\n`,
  );
}

/** Dashboards of the package in their reading order; others follow. */
async function shippedFiles(): Promise<string[]> {
  const folder = join(packageRoot(), 'dashboards');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const place = (name: string): number => {
    const index = SHIPPED.indexOf(name.replace(/\.json$/, ''));
    return index < 0 ? SHIPPED.length : index;
  };
  return names.sort((first, second) => place(first) - place(second)).map((name) => join(folder, name));
}

async function readDashboard(path: string): Promise<DashboardFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FedloopError('NotFound', `${path} cannot be read`, { cause });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new FedloopError('InvalidData', `${path} is not JSON`, { cause });
  }
  return parseOrThrow(dashboardFileSchema, content, path, 'InvalidData');
}
