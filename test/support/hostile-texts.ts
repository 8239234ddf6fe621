/** Ids as somebody with bad intentions would choose them: for HTML, terminals, Markdown, tables, and eyes. */
export const HOSTILE_TEXTS = [
  `"><script>alert(1)</script>`,
  `'><img src=x onerror=alert(1)>`,
  '\u001b[2J\u001b]0;title\u0007',
  '\u009b2J',
  '|x|',
  '\\|x\\|',
  '[a](javascript:alert(1))',
  '![a](https://evil.example/pixel.png)',
  'https://evil.example/ and www.evil.example',
  '`code` **bold** <b>&lt;</b> # ~~no~~',
  '\u202egpj.exe\u202c',
  '\u2066a\u2069\u200fb\u061cc\ufeff',
  'one\r\ntwo\n| three |\ttab\u2028four',
  '\u0000',
] as const;

/** What a terminal obeys, and what turns texts round. */
export const OBEYED = /(?![\n\t])\p{Cc}|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

/** A text without the colours that are our own. */
export function withoutColours(text: string): string {
  return text
    .split('\u001b')
    .reduce(
      (before, part) => before + (/^\[\d+m/.test(part) ? part.replace(/^\[\d+m/, '') : `\u001b${part}`),
    );
}
