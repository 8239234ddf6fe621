import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import { type Query } from './spec';

/** Gives series their fixed colours. */
export function paint(
  builder: {
    overrideByName(name: string, properties: dashboard.DynamicConfigValue[]): unknown;
    overrideByRegexp(regexp: string, properties: dashboard.DynamicConfigValue[]): unknown;
  },
  queries: readonly Query[],
): void {
  for (const { legend, colour } of queries) {
    if (colour === undefined) continue;
    const fixed = [{ id: 'color', value: { mode: 'fixed', fixedColor: colour } }];
    if (legend.includes('{{')) builder.overrideByRegexp(patternOf(legend), fixed);
    else builder.overrideByName(legend, fixed);
  }
}

/** `bias in {{unit}}` as a pattern of the names that it can become. */
function patternOf(legend: string): string {
  return `/^${legend.replace(/\{\{\s*\w+\s*\}\}/g, '.*')}$/`;
}
