/** Specification of a dashboard, from which Grafana's JSON is built. Widths are in columns of Grafana's 24, heights in its rows. */

export interface Query {
  readonly expr: string;
  /** Legend; `{{label}}` stands for a label's value. In tables and charts by category: the column's name. */
  readonly legend: string;
  /** Fixed colour of a figure that has the same meaning in all panels; else Grafana picks one by the name. */
  readonly colour?: Colour;
}

/** Unit of differences of shares: the query returns them times 100. */
export const POINTS = 'suffix:points';

/** Errors and tolerances: digits as their size wants them. Their unit is a label, in the legend or in a column. */
export const TARGETS_UNIT = 'short';

/** Legend of a query that gives a table labels but no value: that of an info metric is always 1. */
export const HIDDEN = '';

interface Common {
  readonly title: string;
  /** What the panel shows, and what to do when it looks odd. */
  readonly description: string;
  /** Grafana's name of a unit, such as `percentunit`. */
  readonly unit: string;
  readonly decimals?: number;
  /** Text without data, and what that means. */
  readonly noData: string;
  readonly width: number;
  readonly height: number;
}

export interface StatPanel extends Common {
  readonly kind: 'stat';
  readonly query: Query;
  /** `name`: show the legend instead of the value, as for an info metric. */
  readonly text?: 'value' | 'name' | 'name and value';
  readonly thresholds?: Thresholds;
}

/** Colours from a value on; `base` below the first. */
export interface Thresholds {
  readonly base: Colour;
  readonly steps: readonly { readonly from: number; readonly colour: Colour }[];
}

type Colour = 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'purple' | 'gray' | 'text';

export interface TimeSeriesPanel extends Common {
  readonly kind: 'timeseries';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  readonly min?: number;
  readonly max?: number;
}

/** One bar for each series, with its present value. */
export interface BarsPanel extends Common {
  readonly kind: 'bars';
  readonly queries: readonly Query[];
  /** Texts and colours instead of values. */
  readonly words?: Readonly<Record<number, { readonly text: string; readonly colour: Colour }>>;
  readonly min?: number;
  readonly max?: number;
}

/** Order of rows: by a label, as a number where it holds numbers. */
interface Ordered {
  /** The label that rows are joined by. */
  readonly by: string;
  /** A label of the first query to sort by, where it is not `by`. */
  readonly sortBy?: string;
  readonly newestFirst?: boolean;
}

/** Groups of bars: one category for each value of the label, with one bar for each query. */
export interface GroupedBarsPanel extends Common, Ordered {
  readonly kind: 'grouped-bars';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
}

/** A row for each value of the label, a column for each query; `labels` are further columns, taken from the first query. */
export interface TablePanel extends Common, Ordered {
  readonly kind: 'table';
  readonly labels?: Readonly<Record<string, string>>;
  readonly queries: readonly (Query & { readonly unit?: string })[];
}

export interface TextPanel {
  readonly kind: 'text';
  readonly title: string;
  readonly description: string;
  readonly markdown: string;
  readonly width: number;
  readonly height: number;
}

export type Panel = StatPanel | TimeSeriesPanel | BarsPanel | GroupedBarsPanel | TablePanel | TextPanel;

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface DashboardSpec {
  /** Must not change: links and bookmarks use it. */
  readonly uid: string;
  /** Name of the JSON file, without its ending. */
  readonly file: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}
