import { cp, rename, mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import stringWidth from 'string-width';
import { renderCsv, renderJson, renderTable, tableParts } from '../../../cli/query/answer';
import { type AnswerTable } from '../../../cli/query/query-worker';
import { startRoundLink } from '../../../cli/demo/links';
import { endOf, formatSeconds } from '../../../cli/progress';
import { plainProgress } from '../../../cli/progress/plain';
import { liveLine } from '../../../cli/progress/terminal';
import {
  forgetRunning,
  findRunning,
  lookForSystem,
  requireNoneRunning,
  requireRunning,
  writeRunning,
} from '../../../cli/system/running';
import { claimFolder, claimOf } from '../../../cli/system/claim-folder';
import { createRunFolder, latestRun, runId } from '../../../cli/system/run-folder';
import { interrupted, poll, unlessAborted } from '../../../cli/shared/wait';
import { readyUrl } from '../../../cli/system/worker-process';
import { startOf } from '../../../cli/processes/identity';
import { NAMES } from '../../support/names';
import { runningEntry } from '../../support/running-entry';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('progress without a terminal', () => {
  it('is a line at each beginning and end, and a sign of life between', () => {
    const lines: string[] = [];
    let now = 0;
    const step = plainProgress(
      (text) => lines.push(text),
      () => now,
    ).step('Building');
    step.update('one', 0.1);
    now = 12_000;
    step.update('two', 0.5);
    step.update('three', 0.6);
    now = 65_000;
    step.done();
    expect(lines).toEqual(['Building …\n', 'Building: two (50 %)\n', 'Building: done (1 min 05 s)\n']);
  });

  it('distinguishes a step that failed from one that was interrupted by it', () => {
    const lines: string[] = [];
    const progress = plainProgress(
      (text) => lines.push(text),
      () => 0,
    );
    progress.step('Planning').fail();
    progress.step('Starting').fail('stopped');
    expect(lines.filter((line) => !line.includes('…'))).toEqual([
      'Planning: failed\n',
      'Starting: stopped\n',
    ]);
  });

  it('calls a step by its new name, once that is known', () => {
    const lines: string[] = [];
    const step = plainProgress(
      (text) => lines.push(text),
      () => 0,
    ).step('Round');
    step.rename('Round 7');
    step.done('promoted');
    expect(lines).toEqual(['Round …\n', 'Round 7: promoted (0 s)\n']);
  });

  it('takes a Ctrl-C for no failure', () => {
    expect([endOf(interrupted()), endOf(new Error('no'))]).toEqual(['stopped', 'failed']);
  });

  it('writes times as people do', () => {
    expect([400, 7_400, 60_000, 125_000].map(formatSeconds)).toEqual([
      '0 s',
      '7 s',
      '1 min 00 s',
      '2 min 05 s',
    ]);
  });
});

describe('progress on a terminal', () => {
  it('never wraps, since a wrapped line would break the redraw', () => {
    const payload = { title: 'Building', detail: 'x'.repeat(300), began: 0, bounded: true };
    expect(liveLine(0.5, payload, 80, 1_000).length).toBeLessThanOrEqual(80);
    expect(liveLine(0.5, payload, 80, 1_000)).toContain('50 %');
  });
});

it('a folder that cannot be written is reported, with what to do', async () => {
  const file = join(folder, 'file');
  await writeFile(file, '');
  await expect(createRunFolder(file, 'run-1')).rejects.toMatchObject({
    code: 'InvalidInput',
    hint: expect.stringContaining('doctor') as string,
  });
});

describe('the note on what runs in a folder', () => {
  const system = runningEntry({
    pid: process.pid,
    started: startOf(process.pid),
    workers: [{ role: 'analytics', url: 'http://127.0.0.1:1', log: 'x.log' }],
  });

  it('is found by other commands, and keeps a second system away', async () => {
    await writeRunning(folder, system);
    expect(await findRunning(folder)).toEqual(system);
    await expect(requireNoneRunning(folder)).rejects.toMatchObject({ code: 'ServerUnavailable' });
    await forgetRunning(folder, process.pid);
    await expect(requireNoneRunning(folder)).resolves.toBeUndefined();
  });

  it('counts for nothing when its command was killed, or when it is not one', async () => {
    await writeRunning(folder, { ...system, pid: 0x7ffffffe });
    await expect(requireRunning(folder)).rejects.toThrow('no system is running');
    // Its number is another's by now, as after a reboot.
    await writeRunning(folder, { ...system, started: 'long ago' });
    await expect(requireRunning(folder)).rejects.toThrow('no system is running');
    await writeFile(join(folder, '.fedloop', 'running.json'), '{"pid":');
    expect(await findRunning(folder)).toBeUndefined();
  });

  it('is none in a copy of the folder, and still one in a folder that was moved', async () => {
    const [original, copy, moved] = ['original', 'copy', 'moved'].map((name) => join(folder, name));
    if (original === undefined || copy === undefined || moved === undefined) throw new Error('three names');
    const { path } = await createRunFolder(original, system.id);
    await writeRunning(original, { ...system, runFolder: path });
    const free = await claimFolder(original, system.id);
    await cp(original, copy, { recursive: true });
    expect((await findRunning(original))?.id).toBe(system.id);
    expect((await claimOf(original))?.id).toBe(system.id);
    expect(await lookForSystem(copy)).toEqual({ is: 'none' });
    expect(await claimOf(copy)).toBeUndefined();
    await rename(original, moved);
    expect((await findRunning(moved))?.id).toBe(system.id);
    expect((await claimOf(moved))?.id).toBe(system.id);
    await free();
  });

  it('is taken back only by the command that wrote it', async () => {
    await writeRunning(folder, system);
    await forgetRunning(folder, process.pid + 1);
    expect(await findRunning(folder)).toEqual(system);
  });
});

describe('runs', () => {
  it('have names that sort by time', () => {
    expect(runId(new Date('2026-01-02T03:04:05Z'), 0x1a2b)).toBe('20260102-030405-1a2b');
  });

  it('are found latest first, if they have a warehouse', async () => {
    expect(await latestRun(folder)).toBeUndefined();
    for (const id of ['20260101-000000-0001', '20260102-000000-0001', '20260103-000000-0001']) {
      await mkdir(join(folder, 'runs', id), { recursive: true });
      if (!id.startsWith('20260103')) await writeFile(join(folder, 'runs', id, 'warehouse.duckdb'), '');
    }
    expect((await latestRun(folder))?.id).toBe('20260102-000000-0001');
  });
});

describe('an answer', () => {
  const answer: AnswerTable = {
    columns: [
      { name: 'device', type: 'VARCHAR' },
      { name: 'accuracy', type: 'DOUBLE' },
    ],
    rows: [
      { accuracy: 0.123456789, device: 'a "b", c' },
      { device: null, accuracy: 3 },
    ],
    truncated: false,
  };

  it('is a table for people', () => {
    expect(renderTable(answer)).toContain('0.123457');
    expect(renderTable(answer)).toContain('2 rows');
  });

  it('shows control characters that came with the data, and does not let them reach the terminal', () => {
    const table = renderTable({ ...answer, rows: [{ device: 'a\u001b[2Jb', accuracy: null }] });
    expect(table).toContain('a\\u001b[2Jb');
    expect(table).not.toContain('\u001b[2J');
  });

  it('comes in parts where it is long, which are one table together', () => {
    const rows = Array.from({ length: 1_200 }, (_, n) => ({
      device: n === 1_100 ? '温度計' : 'a',
      accuracy: n,
    }));
    const parts = [...tableParts({ ...answer, rows })];
    expect(parts).toHaveLength(4);
    const lines = parts.slice(0, -1).join('').trimEnd().split('\n');
    expect(lines).toHaveLength(2 + rows.length);
    expect(new Set(lines.slice(2).map((line) => stringWidth(line)))).toEqual(new Set([8 + 2 + 6]));
  });

  it('is CSV with quotes where they are needed', () => {
    expect(renderCsv(answer)).toBe('device,accuracy\n"a ""b"", c",0.123456789\n,3\n');
  });

  it('is JSON, an object a row', () => {
    expect(JSON.parse(renderJson(answer))).toEqual([
      { device: 'a "b", c', accuracy: 0.123456789 },
      { device: null, accuracy: 3 },
    ]);
  });
});

describe('waiting', () => {
  it('ends with the answer, or undefined when time is up', async () => {
    let asked = 0;
    const ask = (): Promise<number | undefined> => {
      asked += 1;
      return Promise.resolve(asked === 3 ? asked : undefined);
    };
    expect(await poll(ask, { everyMillis: 0, timeoutMillis: 10_000 })).toBe(3);
    const never = (): Promise<number | undefined> => Promise.resolve(undefined);
    expect(await poll(never, { everyMillis: 0, timeoutMillis: 0 })).toBeUndefined();
  });

  it('is broken off by Ctrl-C', async () => {
    const controller = new AbortController();
    const waiting = unlessAborted(new Promise<never>(() => undefined), controller.signal);
    controller.abort(interrupted());
    await expect(waiting).rejects.toMatchObject({ code: 'Interrupted' });
    await expect(unlessAborted(Promise.resolve(1), controller.signal)).rejects.toMatchObject({
      code: 'Interrupted',
    });
  });
});

describe('small contracts', () => {
  it('takes one line of a worker for the news that it is ready', () => {
    expect(readyUrl('{"ready":true,"role":"site","url":"http://127.0.0.1:4711"}')).toBe(
      'http://127.0.0.1:4711',
    );
    expect(readyUrl('{"ready":false}')).toBeUndefined();
    expect(readyUrl('listening')).toBeUndefined();
  });

  it('links to the page that starts a round by hand', () => {
    expect(startRoundLink(NAMES, 'http://127.0.0.1:8233', 'default')).toBe(
      'http://127.0.0.1:8233/namespaces/default/workflows/start-workflow?workflowId=fedloop-round&taskQueue=fedloop-rounds&workflowType=federatedRound',
    );
  });
});
