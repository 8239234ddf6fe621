import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { readFiles } from '../../../cli/sample/read-files';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-sample-'));
});

async function read(name: string, content: string | Buffer, most = 100): Promise<readonly string[]> {
  const file = join(folder, name);
  await writeFile(file, content);
  const { messages } = await readFiles(file, most);
  return messages.map(({ bytes }) => Buffer.from(bytes).toString('utf8'));
}

describe('messages in a file', () => {
  it.each<[string, string, string | Buffer]>([
    ['JSON lines', 'a.jsonl', '{"a":1}\n\n{"a":2}\r\n'],
    ['gzipped JSON lines, whatever their name', 'b.txt', gzipSync('{"a":1}\n{"a":2}')],
    ['a JSON array on one line', 'c.json', '[{"a":1},{"a":2}]'],
    ['a JSON array on many lines', 'd.data', '[\n{"a":1},\n{"a":2}\n]'],
    ['CSV', 'e.csv', 'a\n1\n2\n'],
  ])('are read from %s', async (_, name, content) => {
    expect((await read(name, content)).map((text) => JSON.parse(text) as unknown)).toEqual([
      { a: 1 },
      { a: 2 },
    ]);
  });

  it('are the arrays where each line is one', async () => {
    expect(await read('f.jsonl', '[{"a":1},{"a":2}]\n[{"a":3}]\n')).toEqual([
      '[{"a":1},{"a":2}]',
      '[{"a":3}]',
    ]);
  });

  it('keep all digits of CSV, texts as texts, and leave out empty cells', async () => {
    const csv = '\ufeffid;ts;"a;b";c\n007;1767225600123456789;1.50;\nx;2;"say ""no""";n/a\n';
    expect(await read('g.csv', csv)).toEqual([
      '{"id":"007","ts":1767225600123456789,"a;b":1.50}',
      '{"id":"x","ts":2,"a;b":"say \\"no\\"","c":"n/a"}',
    ]);
  });

  it('include lines that are no JSON, which count as messages too', async () => {
    expect(await read('h.jsonl', '{"a":1}\nnonsense\n')).toEqual(['{"a":1}', 'nonsense']);
  });

  it('are at most as many as asked for, of a folder as many of each file', async () => {
    const inner = join(folder, 'many');
    await mkdir(inner);
    await writeFile(join(inner, '1.jsonl'), '1\n'.repeat(10));
    await writeFile(join(inner, '2.csv'), `a\n${'2\n'.repeat(10)}`);
    await writeFile(join(inner, 'readme.md'), 'no data');
    const { messages, isCut, keepsOrder } = await readFiles(inner, 6);
    expect(messages.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual([
      '1',
      '1',
      '1',
      '{"a":2}',
      '{"a":2}',
      '{"a":2}',
    ]);
    expect({ isCut, keepsOrder }).toEqual({ isCut: true, keepsOrder: false });
  });

  it.each([
    ['no-header.csv', '1,2\n3,4\n', 'has no header line'],
    ['quotes.csv', 'a,b\n"1,2\n', 'is no CSV'],
  ])('of %s are refused in one sentence', async (name, content, sentence) => {
    await expect(read(name, content)).rejects.toThrow(sentence);
  });
});
