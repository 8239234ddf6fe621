/** Characters that Markdown, or HTML in it, may take for more than themselves. */
const MARKS = /[\\`*_[\]<>|~&#]/g;
/** Control characters, line ends, and those that turn the direction of a text round. */
// eslint-disable-next-line no-control-regex -- control characters are what it replaces
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+/g;

/**
 * Text from people, devices and servers as one line of Markdown that reads as it was written: it opens no cell, link, tag or code. An address
 * in it gets a blank, for some readers make links of addresses whatever stands before them.
 */
export function markdownText(text: string): string {
  return text
    .replace(UNSEEN, ' ')
    .replace(MARKS, '\\$&')
    .replace(/:(?=\/\/)|\bwww(?=\.)/gi, '$& ');
}
