import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { NAMES } from '../support/names';
import { runFedloop, type CommandResult } from '../support/run-fedloop';

jest.setTimeout(60_000);

/** Turns the bytes of each payload round: enough to see that it is used both ways. */
const CODEC = `
const turned = (bytes) => Buffer.from(bytes).reverse();
exports.payloadCodecs = [{
  encode: async (payloads) => payloads.map(({ metadata, data }) => ({
    metadata: { encoding: Buffer.from('binary/turned') },
    data: turned(JSON.stringify({ encoding: Buffer.from(metadata.encoding).toString(), data: Buffer.from(data).toString('base64') })),
  })),
  decode: async (payloads) => payloads.map(({ data }) => {
    const { encoding, data: inner } = JSON.parse(turned(data).toString());
    return { metadata: { encoding: Buffer.from(encoding) }, data: Buffer.from(inner, 'base64') };
  }),
}];
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fedloop-codec-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The program, with a module of this text as its codec. */
function fedloop(module: string, ...words: string[]): Promise<CommandResult> {
  const path = join(folder, 'codec.cjs');
  writeFileSync(path, module);
  return runFedloop(words, { cwd: folder, env: { ...process.env, FEDLOOP_PAYLOAD_CODEC: path } });
}

it('what Temporal keeps is encoded by the module that a deployment names', async () => {
  const input = JSON.stringify({ participants: 20 });
  const set = await fedloop(CODEC, 'schedule', 'set', 'rounds', '--every', '1h', '--input', input);
  expect(set).toMatchObject({ code: 0, out: 'schedule for rounds: made\n' });
  const connection = await Connection.connect({ address: process.env['TEMPORAL_ADDRESS'] ?? '' });
  const client = new Client({ connection, namespace: process.env['TEMPORAL_NAMESPACE'] ?? 'default' });
  const { schedule } = await connection.workflowService.describeSchedule({
    namespace: client.options.namespace,
    scheduleId: NAMES.schedules.rounds,
  });
  const [kept] = schedule?.action?.startWorkflow?.input?.payloads ?? [];
  expect(Buffer.from(kept?.metadata?.['encoding'] ?? []).toString()).toBe('binary/turned');
  expect(Buffer.from(kept?.data ?? []).toString()).not.toContain('participants');
  await connection.close();
  expect(await fedloop(CODEC, 'schedule', 'delete', 'rounds')).toMatchObject({ code: 0 });
});

it.each([
  ['exports nothing of the kind', 'exports.codec = {}', 'exports no codecs'],
  ['cannot be loaded', 'exports.payloadCodecs = [', 'cannot be loaded'],
])('a module that %s is named, with what is wrong', async (_, module, message) => {
  const { code, err } = await fedloop(module, 'schedule', 'list');
  expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) as string });
  expect(err).toContain('of FEDLOOP_PAYLOAD_CODEC');
});
