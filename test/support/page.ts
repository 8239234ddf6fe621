import { readFileSync } from 'node:fs';
import { packageFile } from '../../cli/shared/package-root';

/** A command of a page, and the outputs that the page shows of it. */
export interface PageCommand {
  /** As the page has it, without `npx fedloop`. */
  readonly text: string;
  readonly shown: readonly string[];
}

export interface PageSection {
  readonly heading: string;
  readonly commands: readonly PageCommand[];
  /** Its YAML blocks. */
  readonly yaml: readonly string[];
}

/** Sections of a page of docs/. A `text` block shows what the commands of the last `sh` block before it print. */
export function readPage(name: string): readonly PageSection[] {
  const [, ...sections] = readFileSync(packageFile('docs', name), 'utf8').split(/^## /m);
  return sections.map((section) => {
    const commands: { text: string; shown: string[] }[] = [];
    const yaml: string[] = [];
    let block: { text: string; shown: string[] }[] = [];
    for (const [, language = '', text = ''] of section.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)) {
      if (language === 'sh') {
        block = linesOf(text).map((line) => ({ text: line.replace(/^npx fedloop /, ''), shown: [] }));
        commands.push(...block);
      } else if (language === 'text') block.at(-1)?.shown.push(...linesOf(text));
      else if (language === 'yaml') yaml.push(text);
    }
    return { heading: section.slice(0, section.indexOf('\n')), commands, yaml };
  });
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}
