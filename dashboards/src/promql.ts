/** A metric with the dashboard's variables; `matchers` as in PromQL: `stage="champion"`. */
export function metric(name: string, ...matchers: readonly string[]): string {
  return `${name}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(',')}}`;
}

/** Rate of a counter per second, summed over everything but `by`. */
export function ratePer(by: readonly string[], name: string, ...matchers: readonly string[]): string {
  return `sum${grouping(by)} (rate(${metric(name, ...matchers)}[$__rate_interval]))`;
}

/** Increase of a counter over a fixed time, summed over everything. */
export function increaseOver(time: string, name: string, ...matchers: readonly string[]): string {
  return `sum (increase(${metric(name, ...matchers)}[${time}]))`;
}

/** A quantile (0 to 1) of a histogram over the rate interval. */
export function quantileOf(
  quantile: number,
  histogram: string,
  by: readonly string[] = [],
  ...matchers: readonly string[]
): string {
  return `histogram_quantile(${quantile}, ${ratePer(['le', ...by], `${histogram}_bucket`, ...matchers)})`;
}

/** The largest of a figure. Several workers may export it during a handover. */
export function maxBy(by: readonly string[], name: string, ...matchers: readonly string[]): string {
  return `max${grouping(by)} (${metric(name, ...matchers)})`;
}

export function sumBy(by: readonly string[], name: string, ...matchers: readonly string[]): string {
  return `sum${grouping(by)} (${metric(name, ...matchers)})`;
}

/**
 * The largest of a figure by round and another label, with both as one in `row`, `3 / 1`: rows of a table are told apart by one label.
 * @param kept whether both stay beside it, as further columns
 */
export function maxByRow(label: string, name: string, kept: 'both kept' | 'row alone'): string {
  const by = kept === 'both kept' ? ['row', 'round', label] : ['row'];
  return `max${grouping(by)} (label_join(${metric(name)}, "row", " / ", "round", "${label}"))`;
}

/** A share, or a difference of shares, in percentage points. */
export function points(expr: string): string {
  return `100 * ${expr}`;
}

/** Mean accuracy of local models by round: as they report it of themselves, or on hold-out devices. */
export function localAccuracy(source: 'self-reported' | 'real'): string {
  return maxBy(['round'], 'fedloop_round_local_accuracy_ratio', `source="${source}"`);
}

function grouping(by: readonly string[]): string {
  return by.length === 0 ? '' : ` by (${by.join(', ')})`;
}

/** A figure of the latest round with a result. Rounds are labels; the latest one's number is a value. */
export function ofLatestRound(by: readonly string[], name: string, ...matchers: readonly string[]): string {
  const latest = `count_values("round", ${maxBy([], 'fedloop_round_number')})`;
  return `max${grouping(by)} (${metric(name, ...matchers)} and on (round) ${latest})`;
}

/**
 * The champion's change of accuracy in the round that promoted it. No series for a champion that no round made, or whose round is
 * too old to have figures.
 */
export function championsGain(): string {
  const promoted = maxBy(['round', 'version'], 'fedloop_round_info', 'decision="promoted"');
  const champion = maxBy(['version'], 'fedloop_champion_info');
  const change = metric('fedloop_round_accuracy_change_ratio', 'estimate="mean"');
  return `max (${change} and on (round) (${promoted} and on (version) ${champion}))`;
}

/** Figures by version of all champions, past ones too, and of versions in force; without rejected candidates. */
export function ofServingVersions(expr: string): string {
  const served = metric('fedloop_model_stage_timestamp_seconds', 'stage="champion"');
  const inForce = metric('fedloop_model_info', 'stage=~"champion|candidate|shadow"');
  return `${expr} and on (version) (${served} or on (version) ${inForce})`;
}
