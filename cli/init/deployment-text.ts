import { Document, isMap, isScalar, type YAMLMap } from 'yaml';
import { deploymentFileSchema } from '../../core/contracts/deployment-file';
import { type DeploymentFileInput, type Understanding } from '../../core/ingest/inspect/understand';

/** Columns of a comment, so that it reads well in an editor. */
const COMMENT_WIDTH = 100;

/** The text of a deployment file, with what speaks for each of its settings as a comment before it. */
export function deploymentText(
  { file, reasons }: Pick<Understanding, 'file' | 'reasons'>,
  sampleName: string,
): string {
  // Refused here rather than by the command that reads it.
  deploymentFileSchema.parse(file);
  const document = new Document(withoutDefaults(file));
  document.commentBefore = wrapped(
    `A fleet, as \`fedloop init\` understood it from ${sampleName}. \`fedloop check\` says what becomes of its messages, and \`fedloop up\` starts it.`,
  );
  if (isMap(document.contents)) comment(document.contents, [], reasons);
  return document.toString({ lineWidth: 120 });
}

function comment(map: YAMLMap, path: readonly string[], reasons: ReadonlyMap<string, string>): void {
  for (const { key, value } of map.items) {
    if (!isScalar(key)) continue;
    const own = [...path, String(key.value)];
    const why = reasons.get(own.join('.'));
    if (why !== undefined && why !== '') key.commentBefore = wrapped(why);
    if (isMap(value)) comment(value, own, reasons);
  }
}

/** A new fleet begins with the earliest message anyway. */
function withoutDefaults(file: DeploymentFileInput): DeploymentFileInput {
  const { source, ...rest } = file;
  const { from, ...ownSource } = source ?? {};
  const all = from === 'earliest' ? ownSource : { from, ...ownSource };
  const kept = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  const { fleet, ...others } = rest;
  return {
    ...(fleet === undefined ? {} : { fleet }),
    ...(Object.keys(kept).length === 0 ? {} : { source: kept }),
    ...others,
  };
}

/** Text as the lines of a comment; the library puts a # before each. */
function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.replace(/\s+/g, ' ').split(' ')) {
    if (line !== '' && line.length + word.length >= COMMENT_WIDTH) {
      lines.push(line);
      line = '';
    }
    line += ` ${word}`;
  }
  return [...lines, line].join('\n');
}
