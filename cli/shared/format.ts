/** Numbers for people: real minus signs, units, and an empty text for what was not measured. */

export function percent(share: number | null, decimals = 1): string {
  return share === null ? '' : `${(100 * share).toFixed(decimals)} %`;
}

/** A difference of shares in percentage points, with its sign. */
export function points(change: number): string {
  return signed(100 * change, 2);
}

export function signed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  // Zero has no sign, also when rounding has made it.
  return Number(text) === 0 ? text : `${value < 0 ? '−' : '+'}${text}`;
}

/** `81.4 … 84.8`: both ends without the unit, which stands in the heading. */
export function range(interval: readonly [number, number] | null, format: (value: number) => string): string {
  return interval === null
    ? ''
    : `${format(interval[0]).replace(' %', '')} … ${format(interval[1]).replace(' %', '')}`;
}

export function whole(count: number): string {
  return Math.round(count).toLocaleString('en');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** `38.3 MB`: decimal units, as disks and files are sold. */
export function bytes(size: number): string {
  const step = size < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(size) / 3));
  return `${(size / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${UNITS[step] ?? 'B'}`;
}

/** `1 window`, `6 windows`. */
export function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `2026-01-02 03:04 UTC`, from ISO 8601. */
export function timestamp(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

const UNITS_OF_TIME = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `45 s`, `10 min`, `1 h 30 min`, `2 d`: whole seconds in the largest units, without units of which there are none. */
export function span(seconds: number): string {
  let remaining = Math.round(seconds);
  const parts = UNITS_OF_TIME.flatMap(([size, unit]) => {
    const count = Math.floor(remaining / size);
    remaining -= count * size;
    return count === 0 ? [] : [`${count} ${unit}`];
  });
  return parts.length === 0 ? '0 s' : parts.join(' ');
}

/** What a terminal may obey, control characters without line ends and tabs, and what turns the direction of a text round. */
// eslint-disable-next-line no-control-regex -- control characters are what it finds
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;
/** Our own colours. */
// eslint-disable-next-line no-control-regex -- the sequence begins with a control character
const COLOUR = /(\u001b\[[0-9;]*m)/;

/**
 * Text from outside, made safe for a terminal: control characters, which could clear the screen or worse, are escaped as in JSON.
 * Line ends and tabs stay.
 */
export function printable(text: string): string {
  return text.replace(OBEYED, escaped);
}

/** The same for an id, a name or a cell of a table, which is one line. */
export function printableLine(text: string): string {
  return printable(text).replace(/[\n\t]/g, escaped);
}

/** A whole answer for a terminal, whatever stands in it: our colours stay, and nothing else that a terminal obeys. */
export function forTerminal(text: string): string {
  return text
    .split(COLOUR)
    .map((part, index) => (index % 2 === 1 ? part : printable(part)))
    .join('');
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
