import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { packageFile, packageRoot } from '../../../cli/shared/package-root';

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(packageFile('docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** Text without code, in which brackets are no links. */
function proseOf(path: string): string {
  return readFileSync(path, 'utf8')
    .replace(/^( *)```[\s\S]*?^\1```/gm, '')
    .replace(/`[^`\n]*`/g, (code) => '`'.repeat(code.length));
}

/** Targets of the links and pictures that lead into the repository. */
function relativeLinks(path: string): readonly string[] {
  return [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** Anchors of the headings, as GitHub makes them. */
function anchorsOf(path: string): ReadonlySet<string> {
  const text = readFileSync(path, 'utf8').replace(/^( *)```[\s\S]*?^\1```/gm, '');
  const anchors = new Set<string>();
  for (const [, heading = ''] of text.matchAll(/^#+ (.+)$/gm)) {
    const anchor = heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .trim()
      .replace(/\s/g, '-');
    let name = anchor;
    for (let copy = 1; anchors.has(name); copy += 1) name = `${anchor}-${copy}`;
    anchors.add(name);
  }
  return anchors;
}

/** What is wrong with a link; undefined for one that leads somewhere. */
function faultOf(document: string, target: string): string | undefined {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? document : join(dirname(document), decodeURIComponent(file));
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return `${target}: no such file`;
  if (relative(packageRoot(), path).startsWith('..')) return `${target}: outside the repository`;
  if (anchor === undefined || anchorsOf(path).has(anchor)) return undefined;
  return `${target}: no such heading`;
}

it.each(DOCUMENTS)('every relative link in %s leads to a file, and its anchor to a heading', (name) => {
  const document = packageFile(name);
  const faults = relativeLinks(document).flatMap((target) => faultOf(document, target) ?? []);
  expect(faults).toEqual([]);
});

it('README, architecture and CONTRIBUTING lead to the glossary', () => {
  for (const name of ['README.md', 'CONTRIBUTING.md', join('docs', 'architecture.md')])
    expect(relativeLinks(packageFile(name)).join(' ')).toContain('glossary.md');
});

it('finds a file and a heading that are not there', () => {
  const readme = packageFile('README.md');
  expect(faultOf(readme, 'docs/nowhere.md')).toBe('docs/nowhere.md: no such file');
  expect(faultOf(readme, 'docs/architecture.md#nowhere')).toBe(
    'docs/architecture.md#nowhere: no such heading',
  );
  expect(faultOf(readme, '#two-commands')).toBeUndefined();
});
