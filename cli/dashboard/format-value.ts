/** A value as text, by Grafana's name of its unit. */
export function formatValue(value: number, unit: string, decimals?: number): string {
  if (Number.isNaN(value)) return '–';
  switch (unit) {
    case 'percentunit':
      return `${(100 * value).toFixed(decimals ?? 1)} %`;
    case 's':
      return seconds(value);
    case 'ms':
      return seconds(value / 1_000);
    case 'bytes':
      return `${scaled(value, 1_024, ['', 'Ki', 'Mi', 'Gi', 'Ti'], ' ')}B`;
    case 'ops':
      return `${scaled(value, 1_000, THOUSANDS)} /s`;
    case 'reqps':
      return `${scaled(value, 1_000, THOUSANDS)} req/s`;
    case 'dateTimeAsIso':
      return timeBy('YYYY-MM-DD HH:mm', value);
    case 'decbytes':
      return `${scaled(value, 1_000, ['', 'k', 'M', 'G', 'T'], ' ')}B`;
    case 'locale':
      return value.toLocaleString('en', { maximumFractionDigits: decimals ?? 1 });
    case 'short':
      return scaled(value, 1_000, THOUSANDS);
    default:
      if (unit.startsWith('suffix:'))
        return `${value.toFixed(decimals ?? 2)} ${unit.slice('suffix:'.length)}`;
      if (unit.startsWith('time:')) return timeBy(unit.slice('time:'.length), value);
      return decimals === undefined ? String(Math.round(value * 100) / 100) : value.toFixed(decimals);
  }
}

const THOUSANDS = ['', ' K', ' M', ' G'];

/** A timestamp in UTC by a pattern of YYYY, MM, DD, HH and mm. */
function timeBy(pattern: string, millis: number): string {
  const iso = new Date(millis).toISOString();
  return pattern
    .replace('YYYY', iso.slice(0, 4))
    .replace('MM', iso.slice(5, 7))
    .replace('DD', iso.slice(8, 10))
    .replace('HH', iso.slice(11, 13))
    .replace('mm', iso.slice(14, 16));
}

function scaled(value: number, base: number, prefixes: readonly string[], space = ''): string {
  let mantissa = value;
  let index = 0;
  while (Math.abs(mantissa) >= base && index < prefixes.length - 1) {
    mantissa /= base;
    index += 1;
  }
  return `${Number(mantissa.toPrecision(3))}${space}${prefixes[index] ?? ''}`;
}

function seconds(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 1) return `${Number((1_000 * value).toPrecision(3))} ms`;
  if (size >= 3_600) return `${Number((value / 3_600).toPrecision(3))} h`;
  if (size >= 60) return `${Number((value / 60).toPrecision(3))} min`;
  return `${Number(value.toPrecision(3))} s`;
}
