/** The same name has the same colour in all panels of a page. */
export type ColourOf = (name: string) => string;

const PALETTE = [
  '#4c8dd6',
  '#e0803c',
  '#3fa66b',
  '#b4569c',
  '#c9a227',
  '#d0524f',
  '#3fa7b5',
  '#8a6fd1',
  '#7f8c4a',
  '#c77fa5',
  '#5b6f8f',
  '#a8643a',
];

/** Grafana's colour names, readable on white and on black. */
const NAMED: Readonly<Record<string, string>> = {
  green: '#3fa66b',
  yellow: '#c9a227',
  orange: '#e0803c',
  red: '#d0524f',
  blue: '#4c8dd6',
  purple: '#8a6fd1',
  gray: '#8e949e',
};

export function namedColour(name: string): string | undefined {
  return NAMED[name];
}

/** Assigns colours in the order of calls. */
export function colours(): ColourOf {
  const known = new Map<string, string>();
  return (name) => {
    const colour = known.get(name) ?? PALETTE[known.size % PALETTE.length] ?? '#888888';
    known.set(name, colour);
    return colour;
  };
}
