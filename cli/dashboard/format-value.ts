/** A value as a person reads it, by Grafana's name of its unit. */
export function formatValue(value: number, unit: string, decimals?: number): string {
  if (Number.isNaN(value)) return '–';
  switch (unit) {
    case 'percentunit':
      return `${(100 * value).toFixed(decimals ?? 1)} %`;
    case 'celsius':
      return `${value.toFixed(decimals ?? 2)} °C`;
    case 's':
      return seconds(value);
    case 'ms':
      return seconds(value / 1_000);
    case 'bytes':
      return `${scaled(value, 1_024, ['', 'Ki', 'Mi', 'Gi', 'Ti'])}B`;
    case 'ops':
      return `${scaled(value, 1_000, THOUSANDS)} /s`;
    case 'reqps':
      return `${scaled(value, 1_000, THOUSANDS)} req/s`;
    case 'dateTimeAsIso':
      return new Date(value).toISOString().slice(0, 16).replace('T', ' ');
    case 'short':
      return scaled(value, 1_000, THOUSANDS);
    default:
      return decimals === undefined ? String(Math.round(value * 100) / 100) : value.toFixed(decimals);
  }
}

const THOUSANDS = ['', ' K', ' M', ' G'];

function scaled(value: number, base: number, prefixes: readonly string[]): string {
  let rest = value;
  let index = 0;
  while (Math.abs(rest) >= base && index < prefixes.length - 1) {
    rest /= base;
    index += 1;
  }
  return `${Number(rest.toPrecision(3))}${base === 1_024 ? ' ' : ''}${prefixes[index] ?? ''}`;
}

function seconds(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 1) return `${Number((1_000 * value).toPrecision(3))} ms`;
  if (size >= 3_600) return `${Number((value / 3_600).toPrecision(3))} h`;
  if (size >= 60) return `${Number((value / 60).toPrecision(3))} min`;
  return `${Number(value.toPrecision(3))} s`;
}
